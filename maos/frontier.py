"""What a run does next, read from its plan and its ledger."""

from collections.abc import Mapping, Set

from pydantic import BaseModel, ConfigDict

from maos.actions import Actions, ActionSpec
from maos.approvals import Approval
from maos.autonomy import needs_approval
from maos.plans import PlanStep, ready_steps
from maos.runs import Ledger, Run
from maos.statuses import ApprovalStatus, RunStatus


class Move(BaseModel):
    """The next move of a run; with all fields empty it waits for what is under way."""

    model_config = ConfigDict(frozen=True)

    start: tuple[PlanStep, ...] = ()
    open_gates: tuple[PlanStep, ...] = ()
    wait_for: tuple[Approval, ...] = ()
    end: RunStatus | None = None
    reason: str | None = None


def next_move(run: Run, ledger: Ledger, actions: Actions, *, busy: Set[str], failed: Mapping[str, str]) -> Move:
    """Decide what happens next.

    A failed or rejected step ends the run once nothing is under way; a run waits for a person only when nothing else
    can run (the frontier).

    Args:
        busy: steps that are under way in this process.
        failed: error summary of each step that failed for good in this process.
    """
    if stopped := _stopped(ledger, failed):
        return Move() if busy else stopped
    ready = [step for step in ready_steps(run.plan, completed=ledger.finished.keys()) if step.id not in busy]
    guarded = {step.id for step in ready if is_guarded(run, actions[step.action])}
    asked = {step_id: ledger.approvals[step_id] for step_id in guarded if step_id in ledger.approvals}
    start = tuple(step for step in ready if step.id not in guarded or _is_approved(asked.get(step.id)))
    open_gates = tuple(step for step in ready if step.id in guarded and _is_unasked(asked.get(step.id)))
    if start or open_gates or busy:
        return Move(start=start, open_gates=open_gates)
    if asked:
        return Move(wait_for=tuple(asked[step.id] for step in ready if step.id in asked))
    return Move(end=RunStatus.COMPLETED)


def is_guarded(run: Run, spec: ActionSpec) -> bool:
    """Say whether a person must approve this action in this run."""
    return needs_approval(run.autonomy, spec.risk, read_only=spec.read_only, read_only_exempt=run.read_only_exempt)


def _is_approved(approval: Approval | None) -> bool:
    return approval is not None and approval.status is ApprovalStatus.APPROVED


def _is_unasked(approval: Approval | None) -> bool:
    # A cancelled approval no longer covers what would run: the person is asked anew.
    return approval is None or approval.status is ApprovalStatus.CANCELLED


def _stopped(ledger: Ledger, failed: Mapping[str, str]) -> Move | None:
    # A step whose outcome is in the ledger is done, whatever went wrong after it was written.
    unfinished = [step_id for step_id in failed if step_id not in ledger.finished]
    if unfinished:
        return Move(end=RunStatus.FAILED, reason=f"step {unfinished[0]!r} failed: {failed[unfinished[0]]}")
    for step_id, approval in ledger.approvals.items():
        if approval.status is ApprovalStatus.REJECTED:
            note = f": {approval.note}" if approval.note else ""
            return Move(end=RunStatus.CANCELLED, reason=f"step {step_id!r} was rejected by {approval.decided_by}{note}")
        if approval.status is ApprovalStatus.EXPIRED:
            return Move(end=RunStatus.CANCELLED, reason=f"the approval of step {step_id!r} expired undecided")
    return None
