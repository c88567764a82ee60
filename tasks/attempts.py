"""An attempt of a step: reserved and written before the engine is called, settled and audited after it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlmodel import Session

from maos.actions import ArtifactRef, JsonObject, StepOutcome
from maos.approvals import Approval
from maos.budgets import Hold
from maos.errors import EffectInDoubt, EngineFailure, LeaseLost
from maos.failures import FailureKind
from maos.plans import PlanStep
from maos.statuses import InvocationStatus
from maos.tariffs import Tariff
from maos.usage import Receipt
from maos.waits import retry_at
from sql import attempts, audit, budgets, invocations
from sql.attempts import Begin, End
from sql.tables import AgentInvocation, utc_now
from sql.trips import send
from tasks import effects
from tasks.audit import audit_attempt
from tasks.consumption import consume_approval
from tasks.exemptions import note_failure
from tasks.failures import error_for_clients, kind_of
from tasks.holds import check_may_begin
from tasks.leases import run_session, run_session_asking
from tasks.outages import outlasting
from tasks.payloads import Payload
from tasks.revisions import append_calls, append_steps
from tasks.secrecy import for_clients, safe_outcome
from tasks.settlements import EndedBefore, Ending


@dataclass(frozen=True)
class Progress:
    """How far an attempt has brought its step that is not done yet."""

    summary: str
    artifacts: tuple[ArtifactRef, ...]
    # Steps that it calls: it goes on when they are settled.
    calls: tuple[PlanStep, ...] = ()


class Attempt:
    """One attempt of a step as a context: leaving it without `complete` or `rest` records a failure.

    Args:
        tariff: the prices that the ceiling is from; it is settled by the same.

    Raises on entry:
        ApprovalInvalid: when the step needs an approval and none covers exactly this payload.
        BudgetExceeded: when the ceiling does not fit into a budget; nothing is written then.
        EffectInDoubt: when its effect may have happened and nobody has said what to do about it.
        LeaseLost: when another process has taken the run up.
        OrganizationSuspended: when nothing may start for the organisation; nothing is written then.
    """

    def __init__(
        self,
        payload: Payload,
        *,
        ceiling_usd: Decimal = Decimal(0),
        ceiling_tokens: int = 0,
        tariff: Tariff | None = None,
        task_run_id: UUID | None = None,
        agent: str | None = None,
    ) -> None:
        self._payload = payload
        # Who speaks, where that is not the step's own agent.
        self._agent = agent or payload.step.agent.name
        self._ceiling_usd = ceiling_usd
        self._ceiling_tokens = ceiling_tokens
        self._tariff = tariff
        self._task_run_id = task_run_id
        # Known beforehand: a begin whose commit was not answered finds its own row when it is repeated.
        self._invocation_id = uuid4()
        self._begun: AgentInvocation | None = None
        self._holds: list[Hold] = []
        self._receipt: Receipt | None = None
        self._done = False
        self.confirmed_by: str | None = None

    def __enter__(self) -> Self:
        self._begin()
        return self

    @outlasting
    def _begin(self) -> None:
        run, step = self._payload.run, self._payload.step
        asking = attempts.asking_for_standing(run.id, step.id, org_id=run.org_id)
        call = {"org_id": run.org_id, "run_id": run.id, "agent_name": self._agent}
        limits = [budgets.asking_for_limits(call, run.team)] if self._ceiling_usd else []
        with run_session_asking(run, *limits, *asking) as (session, answers):
            if self._has_begun(session):
                return
            standing = attempts.standing_of(answers[len(limits) :])
            check_may_begin(step.id, active=standing.active)
            approval = consume_approval(self._payload, standing, session=session)
            happened = effects.intend(self._payload, approval, session=session)
            self.confirmed_by = approval.decided_by if happened and approval else None
            self._begun = attempts.begin(self._as_it_begins(standing.attempts + 1, approval), session=session)
            if limits:
                self._holds = budgets.reserve_within(
                    answers[0], self._begun, ceiling_tokens=self._ceiling_tokens, session=session
                )

    def _has_begun(self, session: Session) -> bool:
        """Say whether an earlier try, whose commit was not answered, has written the attempt."""
        if self._begun:
            self._begun = invocations.find_invocation(self._begun.id, session=session)
        return self._begun is not None

    @property
    def number(self) -> int:
        """Which attempt of its step it is, from 1."""
        return self._row.attempt

    @property
    def _row(self) -> AgentInvocation:
        """Return the attempt as it began.

        Raises:
            RuntimeError: when it has not.
        """
        if self._begun is None:
            raise RuntimeError("the attempt has not begun")
        return self._begun

    def _as_it_begins(self, number: int, approval: Approval | None) -> Begin:
        payload, run, step = self._payload, self._payload.run, self._payload.step
        return Begin(
            id=self._invocation_id,
            org_id=run.org_id,
            run_id=run.id,
            step_id=step.id,
            attempt=number,
            run_attempt=run.attempt,
            agent_name=self._agent,
            engine_type=step.engine,
            action=step.action,
            approval_id=approval.id if approval else None,
            digest=payload.digest,
            rules_version=payload.book.version,
            policy_version=payload.policies.version,
            task_run_id=self._task_run_id,
            rehearsal=run.rehearsal,
            input_summary=for_clients(_inputs_in_words(payload)),
            token_cost_estimate=self._ceiling_usd,
            started_at=self._tariff.at if self._tariff else utc_now(),
        )

    def spend(self, receipt: Receipt) -> None:
        """Note what the engine consumed, before anything is made of its answer: it is owed either way."""
        self._receipt = receipt

    def complete(self, outcome: StepOutcome) -> None:
        """Write the outcome: from here on the step is done and never runs again.

        Raises:
            EngineFailure: when the outcome has not the form that its action promises.
            PlanRefused: when the steps that it proposes are not acceptable.
        """
        outcome = safe_outcome(outcome, self._payload.step.engine)
        _check_output(self._payload, outcome)
        self._write_outcome(outcome)
        self._done = True

    def rest(self, progress: Progress) -> None:
        """Write how far the step has come: it goes on from here, in this process or another, with its next attempt.

        Raises:
            PlanRefused: when the steps that it calls are not acceptable.
        """
        self._write_progress(progress)
        self._done = True

    @outlasting
    def _write_progress(self, progress: Progress) -> None:
        end = End(InvocationStatus.PENDING, output_summary=for_clients(progress.summary))
        end.artifacts = _plain(progress.artifacts)
        with suppress(EndedBefore), self._ending(end) as (session, row):
            if progress.calls:
                append_calls(self._payload, progress.calls, actor=self._agent, session=session)
            audit_attempt(row, "step.went_on", risk=self._payload.risk, session=session)

    @outlasting
    def _write_outcome(self, outcome: StepOutcome) -> None:
        payload = self._payload
        end = End(InvocationStatus.COMPLETED, output=outcome.output, output_summary=for_clients(outcome.summary))
        end.artifacts = _plain(outcome.artifacts)
        with suppress(EndedBefore), self._ending(end) as (session, row):
            if outcome.proposed_steps:
                append_steps(payload, outcome.proposed_steps, session=session)
            effects.note_done(payload, confirmed_by=self.confirmed_by, session=session)
            audit_attempt(row, "step.completed", risk=payload.risk, session=session)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done or isinstance(error, LeaseLost):
            return
        if isinstance(error, EngineFailure) and error.receipt:
            self._receipt = error.receipt
        if self._write_failure(error):
            raise EffectInDoubt(self._payload.step.id) from error

    @outlasting
    def _write_failure(self, error: BaseException | None) -> bool:
        """Record how the attempt failed; return whether its effect is in doubt."""
        with run_session(self._payload.run) as session:
            # Locked, and running still: what follows counts the attempts before this one.
            if invocations.running_invocation(self._invocation_id, session=session) is None:
                return False
            in_doubt = effects.note_failed(self._payload, error, session=session)
            ended = note_failure(self._payload, error, in_doubt=in_doubt, session=session)
            end = End(InvocationStatus.IN_DOUBT if in_doubt else InvocationStatus.FAILED)
            end.error_kind = None if in_doubt else kind_of(error).value
            end.error_summary = for_clients(error_for_clients(error))
            end.retry_at = None if in_doubt else retry_at(error, utc_now())
            ending = Ending(self._row, end, self._holds, receipt=self._receipt, error=error, tariff=self._tariff)
            row = ending.conclude(send(*ending.orders, session=session), session=session)
            event = "step.in_doubt" if in_doubt else "step.failed"
            audit_attempt(row, event, risk=self._payload.risk, error=kind_of(error), session=session)
            for withdrawal in ended:
                audit.append_audit(withdrawal, org_id=self._payload.run.org_id, session=session)
        return in_doubt

    @contextmanager
    def _ending(self, end: End) -> Iterator[tuple[Session, AgentInvocation]]:
        """Open the transaction that ends the attempt.

        Raises:
            EndedBefore: when an earlier try at it, whose answer was lost, has done so.
        """
        ending = Ending(self._row, end, self._holds, receipt=self._receipt, tariff=self._tariff)
        with run_session_asking(self._payload.run, *ending.orders) as (session, answers):
            yield session, ending.conclude(answers, session=session)


def _check_output(payload: Payload, outcome: StepOutcome) -> None:
    if payload.spec.output is None:
        return
    try:
        payload.spec.output.model_validate(outcome.output)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "; ".join(faults)) from None


def _plain(artifacts: tuple[ArtifactRef, ...]) -> list[JsonObject]:
    return [artifact.model_dump(mode="json") for artifact in artifacts]


def _inputs_in_words(payload: Payload) -> str:
    read = ", ".join(f"{name} of {source}" for name, source in payload.step.inputs.items())
    return f"{payload.spec.title} Reads {read}." if read else payload.spec.title
