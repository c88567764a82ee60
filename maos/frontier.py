"""What a run does next, read from its plan and its ledger."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import Actions, ActionSpec
from maos.approval_policy import ExpiryOutcome
from maos.approvals import Approval, ApprovalKind
from maos.autonomy import AutonomyLevel, needs_approval, stricter
from maos.failures import is_retryable
from maos.plans import OnFailure, OnReject, PlanStep
from maos.policy import Policy
from maos.risk import RiskLevel
from maos.risk_facts import may_be_raised
from maos.runs import FailedStep, Ledger, Run
from maos.statuses import ApprovalStatus, RunStatus
from maos.top_ups import OUT_OF_BUDGET

_REFUSED = frozenset({ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED})


class Move(BaseModel):
    """The next move of a run; with all fields empty it waits for what is under way."""

    model_config = ConfigDict(frozen=True)

    start: tuple[PlanStep, ...] = ()
    open_gates: tuple[PlanStep, ...] = ()
    skip: Mapping[str, str] = Field(default_factory=dict, description="Why each step that is to be skipped is.")
    wait_for: tuple[Approval, ...] = ()
    hold: bool = False
    end: RunStatus | None = None
    reason: str | None = None


def next_move(
    run: Run,
    ledger: Ledger,
    actions: Actions,
    *,
    busy: Set[str],
    overdue: str | None = None,
    short: Set[str] = frozenset(),
) -> Move:
    """Decide what happens next.

    A step that failed for good or was rejected ends the run, once nothing is under way, unless its policy says
    otherwise; a run waits for a person only when nothing else can run (the frontier).

    Args:
        busy: steps that are under way in this process.
        overdue: why nothing more may begin, where the run has taken too long.
        short: steps that do not fit into a budget until something is given back or somebody tops it up.
    """
    view = _View(run, ledger, actions)
    if stopped := _stopped(view, busy) or _out_of_time(view, overdue):
        return Move() if busy else stopped
    if run.held_by:
        return Move(hold=not busy)
    if skip := _doomed(view):
        return Move(skip=skip)
    ready = [step for step in run.plan.steps if step.id not in busy and view.is_ready(step)]
    open_gates = tuple(step for step in ready if view.is_unasked(step))
    free = tuple(step for step in ready if view.is_free(step) and step.id not in short)
    start = free[: max(0, run.plan.parallelism - len(busy))]
    if start or open_gates or busy:
        return Move(start=start, open_gates=open_gates)
    awaited = dict.fromkeys(OUT_OF_BUDGET if view.is_free(step) else step.id for step in ready)
    if waiting := tuple(ledger.approvals[name] for name in awaited):
        return Move(wait_for=waiting)
    return _ended(view)


def is_guarded(
    run: Run, spec: ActionSpec | None, autonomy: AutonomyLevel | None = None, *, risk: RiskLevel | None = None
) -> bool:
    """Say whether a person must approve this action in this run; one that nobody knows is critical.

    Args:
        autonomy: that of the step or of the agent that acts; it can only be stricter than the run's.
        risk: what its parameters have raised its risk to; by default it is as declared.
    """
    if spec is None:
        return True
    level = stricter(run.autonomy, autonomy) if autonomy else run.autonomy
    return spec.always_asks or needs_approval(
        level, risk or spec.risk, read_only=spec.read_only, read_only_exempt=run.read_only_exempt
    )


def level_in(run: Run, policy: Policy, autonomy: AutonomyLevel | None = None) -> AutonomyLevel:
    """Return how much may be done unasked in a run: what it was opened with, unless the policy is stricter by now.

    Args:
        autonomy: that of the step or of the agent that acts.
    """
    level = stricter(run.autonomy, policy.level_of(run.team))
    return stricter(level, autonomy) if autonomy else level


def may_wait(run: Run, ledger: Ledger, step: PlanStep, spec: ActionSpec | None, policy: Policy) -> bool:
    """Say whether a step that is free by its declared risk may have to wait, by its parameters or the policy of now."""
    approval = ledger.approvals.get(step.id)
    if approval is not None and approval.status is ApprovalStatus.APPROVED:
        return False
    return spec is None or may_be_raised(spec, policy) or level_in(run, policy) is not run.autonomy


def has_failed(step: PlanStep, failure: FailedStep) -> bool:
    """Say whether a step has failed for good: its failure promises nothing, or its tries are used up."""
    return not is_retryable(failure.kind) or failure.tries >= step.retry.attempts


@dataclass(frozen=True)
class _View:
    """A plan beside its ledger."""

    run: Run
    ledger: Ledger
    actions: Actions

    def has_failed(self, step: PlanStep) -> bool:
        # A step whose outcome is in the ledger is done, whatever went wrong before or after it was written.
        failure = self.ledger.failed.get(step.id)
        return failure is not None and step.id not in self.ledger.finished and has_failed(step, failure)

    def refusal(self, step: PlanStep) -> str | None:
        """Say who refused a step that is not done, if anybody did."""
        approval = self.ledger.approvals.get(step.id)
        if step.id in self.ledger.finished or approval is None or approval.status not in _REFUSED:
            return None
        return approval.refusal_in_words

    def stops_run(self, step: PlanStep) -> bool:
        """Say whether the refusal of a step ends the run, instead of leaving out what needs it."""
        approval = self.ledger.approvals.get(step.id)
        silent = approval is not None and approval.status is ApprovalStatus.EXPIRED
        skips = silent and approval is not None and approval.policy.on_expiry is ExpiryOutcome.SKIP
        return step.on_reject is OnReject.STOP and not skips

    def is_satisfied(self, name: str) -> bool:
        if name in self.ledger.finished:
            return True
        step = self.run.plan.step(name)
        return step.on_failure is OnFailure.CONTINUE and self.has_failed(step)

    def is_settled(self, step: PlanStep) -> bool:
        if step.id in self.ledger.finished or step.id in self.ledger.skipped or self.has_failed(step):
            return True
        return not self.is_wanted(step)

    def is_wanted(self, step: PlanStep) -> bool:
        """Say whether anybody will hear of the step: its agent has gone on when it has had a later turn."""
        call = step.called_by
        return call is None or (call.step not in self.ledger.finished and self.ledger.turns.get(call.step) == call.turn)

    def is_ready(self, step: PlanStep) -> bool:
        return (
            not self.is_settled(step)
            and all(map(self.is_satisfied, step.depends_on))
            and all(self.is_settled(call) for call in self.calls if call.called_by and call.called_by.step == step.id)
        )

    @cached_property
    def calls(self) -> tuple[PlanStep, ...]:
        """The steps that agents have called: few plans have any."""
        return tuple(step for step in self.run.plan.steps if step.called_by)

    def kind_asked(self, step: PlanStep) -> ApprovalKind | None:
        """Return what a person has to decide before the step starts, if anything."""
        if step.id in self.ledger.in_doubt:
            return ApprovalKind.IN_DOUBT
        asked = self.ledger.approvals.get(step.id)
        # What its final parameters have raised above its declared risk has been asked about, and stays so.
        if asked is not None and asked.kind is ApprovalKind.ACTION:
            return ApprovalKind.ACTION
        guarded = is_guarded(self.run, self.actions.get(step.action), step.autonomy)
        return ApprovalKind.ACTION if guarded else None

    def is_free(self, step: PlanStep) -> bool:
        kind = self.kind_asked(step)
        return kind is None or self._status(step, kind) is ApprovalStatus.APPROVED

    def is_unasked(self, step: PlanStep) -> bool:
        # A cancelled approval no longer covers what would run: the person is asked anew.
        kind = self.kind_asked(step)
        return kind is not None and self._status(step, kind) in {None, ApprovalStatus.CANCELLED}

    def _status(self, step: PlanStep, kind: ApprovalKind) -> ApprovalStatus | None:
        approval = self.ledger.approvals.get(step.id)
        if approval is None:
            return None
        if kind is ApprovalKind.IN_DOUBT and (approval.kind is not kind or approval.consumed_at):
            # What a person said of an earlier doubt says nothing about this one.
            return None
        return approval.status


def _stopped(view: _View, busy: Set[str]) -> Move | None:
    steps = [step for step in view.run.plan.steps if step.id not in busy]
    for step in steps:
        if step.on_failure is OnFailure.FAIL and view.has_failed(step):
            return Move(end=RunStatus.FAILED, reason=_failure(view, step))
    for step in steps:
        if view.stops_run(step) and (refusal := view.refusal(step)):
            return Move(end=RunStatus.CANCELLED, reason=refusal)
    return None


def _out_of_time(view: _View, overdue: str | None) -> Move | None:
    if overdue is None or all(map(view.is_settled, view.run.plan.steps)):
        return None
    return Move(end=RunStatus.FAILED, reason=overdue)


def _doomed(view: _View) -> dict[str, str]:
    """Return the steps that can no longer run, each with the reason, as far as is known now."""
    doomed: dict[str, str] = {}
    lost = set(view.ledger.skipped)
    for step in view.run.plan.steps:
        if step.on_failure is OnFailure.SKIP and view.has_failed(step):
            lost.add(step.id)
        if not view.is_settled(step) and (refusal := view.refusal(step)):
            doomed[step.id] = refusal
    # As often as the longest path asks for: steps may stand in any order.
    while more := [
        step
        for step in view.run.plan.steps
        if step.id not in doomed and not view.is_settled(step) and step.depends_on & (lost | doomed.keys())
    ]:
        for step in more:
            cause = min(step.depends_on & (lost | doomed.keys()))
            doomed[step.id] = f"it needs step {cause!r}"
    return doomed


def _ended(view: _View) -> Move:
    """End a run in which every step is settled: completed, if it has brought forth any of its results.

    What became of a call is its agent's to say.
    """
    calls = {step.id for step in view.calls}
    failed = [step for step in view.run.plan.steps if view.has_failed(step) and step.id not in calls]
    parts = [_failure(view, step) for step in failed]
    parts += [
        f"step {name!r} was skipped: {reason}" for name, reason in view.ledger.skipped.items() if name not in calls
    ]
    reason = "; ".join(parts) or None
    if any(step.id in view.ledger.finished for step in view.run.plan.last_steps):
        return Move(end=RunStatus.COMPLETED, reason=reason)
    return Move(end=RunStatus.FAILED if failed else RunStatus.CANCELLED, reason=reason)


def _failure(view: _View, step: PlanStep) -> str:
    failure = view.ledger.failed[step.id]
    tries = f" after {failure.tries} tries" if failure.tries > 1 else ""
    return f"step {step.id!r} failed{tries}: {failure.summary}"
