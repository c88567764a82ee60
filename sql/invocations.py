"""Rows of `agent_invocations`: each attempt of each step."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from maos.runs import FinishedStep
from maos.statuses import InvocationStatus
from sql.tables import AgentInvocation, InvocationVendorDetail


def next_attempt(run_id: UUID, step_id: str, *, session: Session) -> int:
    """Return the number of the step's next attempt, from 1."""
    last = select(func.coalesce(func.max(AgentInvocation.attempt), 0)).where(
        AgentInvocation.run_id == run_id, AgentInvocation.step_id == step_id
    )
    return session.exec(last).one() + 1


def finished_steps(run_id: UUID, *, session: Session) -> dict[str, FinishedStep]:
    """Return the completed steps of a run with their outcomes."""
    statement = select(
        AgentInvocation.step_id, AgentInvocation.output, AgentInvocation.artifacts, AgentInvocation.task_run_id
    ).where(AgentInvocation.run_id == run_id, AgentInvocation.status == InvocationStatus.COMPLETED)
    return {
        step_id: FinishedStep(output=output or {}, artifacts=tuple(artifacts), task_run_id=task_run_id)
        for step_id, output, artifacts, task_run_id in session.exec(statement)
    }


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
