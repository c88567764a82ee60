"""Rows of `agent_invocations`: each attempt of each step."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from maos.actions import JsonObject
from maos.failures import FailureKind
from maos.runs import FailedStep, Run
from maos.statuses import InvocationStatus
from sql.tables import AgentInvocation, InvocationVendorDetail, utc_now


@dataclass
class StepStates:
    """Where the steps of a run stand."""

    finished: dict[str, UUID | None] = field(default_factory=dict)
    failed: dict[str, FailedStep] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    in_doubt: set[str] = field(default_factory=set)
    turns: dict[str, int] = field(default_factory=dict)

    def note_turn(self, step_id: str, attempt: int) -> None:
        """Note that a step has come further: failures before it no longer count."""
        self.turns[step_id] = attempt
        self.failed.pop(step_id, None)

    def note_failure(self, step_id: str, kind: FailureKind, summary: str) -> None:
        """Count a try that failed; the end of a process is no verdict on the step."""
        if kind is not FailureKind.PROCESS_DIED:
            tries = self.failed[step_id].tries + 1 if step_id in self.failed else 1
            self.failed[step_id] = FailedStep(kind=kind, summary=summary, tries=tries)


def next_attempt(run_id: UUID, step_id: str, *, session: Session) -> int:
    """Return the number of the step's next attempt, from 1."""
    last = select(func.coalesce(func.max(AgentInvocation.attempt), 0)).where(
        AgentInvocation.run_id == run_id, AgentInvocation.step_id == step_id
    )
    return session.exec(last).one() + 1


def step_states(run_id: UUID, run_attempt: int, *, session: Session) -> StepStates:
    """Return where each step of a run stands: failures and skips count only in the present attempt at the run."""
    statement = (
        select(AgentInvocation)
        .where(AgentInvocation.run_id == run_id)
        .order_by(col(AgentInvocation.step_id), col(AgentInvocation.attempt))
        # Outputs may be large, and where a step stands does not depend on them.
        .options(defer(AgentInvocation.output))  # type: ignore[arg-type]  # SQLModel types columns as values
    )
    states = StepStates()
    for row in session.exec(statement):
        if row.status == InvocationStatus.COMPLETED:
            states.finished[row.step_id] = row.task_run_id
        if row.status == InvocationStatus.PENDING:
            states.note_turn(row.step_id, row.attempt)
        # An effect in doubt stays so, whoever takes the run up: only a newer attempt of the step says otherwise.
        (states.in_doubt.add if row.status == InvocationStatus.IN_DOUBT else states.in_doubt.discard)(row.step_id)
        if row.run_attempt != run_attempt:
            continue
        if row.status == InvocationStatus.SKIPPED:
            states.skipped[row.step_id] = row.error_summary or ""
        if row.status == InvocationStatus.FAILED:
            states.note_failure(
                row.step_id, FailureKind(row.error_kind or FailureKind.SERVICE_ERROR), row.error_summary or ""
            )
    return states


def retry_at(run_id: UUID, step_id: str, *, session: Session) -> datetime | None:
    """Return the time before which a step must not be tried again, if its newest attempt says one."""
    newest = (
        select(AgentInvocation.retry_at)
        .where(AgentInvocation.run_id == run_id, AgentInvocation.step_id == step_id)
        .order_by(col(AgentInvocation.attempt).desc())
    )
    return session.exec(newest).first()


def outputs_of(run_id: UUID, step_ids: Collection[str], *, session: Session) -> dict[str, JsonObject]:
    """Return the outputs of those of the steps that are completed."""
    statement = select(AgentInvocation.step_id, AgentInvocation.output).where(
        AgentInvocation.run_id == run_id,
        AgentInvocation.status == InvocationStatus.COMPLETED,
        col(AgentInvocation.step_id).in_(step_ids),
    )
    return {step_id: dict(output or {}) for step_id, output in session.exec(statement)}


def completed_invocations(run_id: UUID, *, session: Session) -> Sequence[AgentInvocation]:
    """Return the attempts that completed a step of a run."""
    statement = select(AgentInvocation).where(
        AgentInvocation.run_id == run_id, AgentInvocation.status == InvocationStatus.COMPLETED
    )
    return session.exec(statement).all()


def attempts_of_step(run_id: UUID, step_id: str, *, session: Session) -> Sequence[AgentInvocation]:
    """Return every attempt of a step, the first one first."""
    statement = (
        select(AgentInvocation)
        .where(AgentInvocation.run_id == run_id, AgentInvocation.step_id == step_id)
        .order_by(col(AgentInvocation.attempt))
    )
    return session.exec(statement).all()


def last_failure(run_id: UUID, step_id: str, *, session: Session) -> tuple[FailureKind, str] | None:
    """Return the kind of a step's last failure and its detail, which only operators may read."""
    statement = (
        select(AgentInvocation.error_kind, InvocationVendorDetail.error_detail)
        .join(InvocationVendorDetail, col(InvocationVendorDetail.invocation_id) == col(AgentInvocation.id))
        .where(
            AgentInvocation.run_id == run_id,
            AgentInvocation.step_id == step_id,
            AgentInvocation.status == InvocationStatus.FAILED,
        )
        .order_by(col(AgentInvocation.attempt).desc())
        .limit(1)
    )
    found = session.exec(statement).first()
    return (FailureKind(found[0] or FailureKind.SERVICE_ERROR), found[1] or "") if found else None


def find_invocation(invocation_id: UUID, *, session: Session) -> AgentInvocation | None:
    """Return one attempt."""
    return session.exec(select(AgentInvocation).where(AgentInvocation.id == invocation_id)).first()


def is_in_doubt(run_id: UUID, step_id: str, *, session: Session) -> bool:
    """Say whether the newest attempt of a step left its effect in doubt."""
    newest = (
        select(AgentInvocation.status)
        .where(AgentInvocation.run_id == run_id, AgentInvocation.step_id == step_id)
        .order_by(col(AgentInvocation.attempt).desc())
    )
    return session.exec(newest).first() == InvocationStatus.IN_DOUBT


@dataclass(frozen=True)
class Verdict:
    """What became of a step without its engine being called."""

    status: InvocationStatus
    summary: str
    error_kind: FailureKind | None = None
    why_not_called: str = "The engine was not called."


def uncalled(run: Run, step_id: str, verdict: Verdict, *, session: Session) -> AgentInvocation:
    """Write an attempt in which no engine was called; return its row."""
    step, now = run.plan.step(step_id), utc_now()
    row = AgentInvocation(
        org_id=run.org_id,
        run_id=run.id,
        step_id=step_id,
        attempt=next_attempt(run.id, step_id, session=session),
        run_attempt=run.attempt,
        agent_name=step.agent.name,
        engine_type=step.engine,
        action=step.action,
        rehearsal=run.rehearsal,
        input_summary=verdict.why_not_called,
        status=verdict.status,
        error_kind=verdict.error_kind,
        error_summary=verdict.summary,
        started_at=now,
        completed_at=now,
    )
    session.add(row)
    session.flush()
    return row


def running_invocation(invocation_id: UUID, *, session: Session) -> AgentInvocation | None:
    """Return the invocation, locked, if it is still running."""
    statement = (
        select(AgentInvocation)
        .where(AgentInvocation.id == invocation_id, AgentInvocation.status == InvocationStatus.RUNNING)
        .with_for_update()
    )
    return session.exec(statement).first()


def running_invocations(run_id: UUID, *, session: Session) -> Sequence[AgentInvocation]:
    """Return the invocations of a run that nobody has ended, locked."""
    statement = (
        select(AgentInvocation)
        .where(AgentInvocation.run_id == run_id, AgentInvocation.status == InvocationStatus.RUNNING)
        .with_for_update()
    )
    return session.exec(statement).all()


def list_invocations(run_id: UUID, *, session: Session) -> Sequence[AgentInvocation]:
    """Return every attempt of a run in the order they began."""
    statement = (
        select(AgentInvocation)
        .where(AgentInvocation.run_id == run_id)
        .order_by(col(AgentInvocation.started_at), col(AgentInvocation.id))
    )
    return session.exec(statement).all()


def add_vendor_detail(detail: InvocationVendorDetail, *, session: Session) -> None:
    """Keep what only operators may know of an invocation."""
    session.add(detail)
