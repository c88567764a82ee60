"""Approvals whose time has come: to end, to remind, or because their run has ended without them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, func, literal_column, or_, update
from sqlmodel import Session, col, select

from maos.approvals import Approval, ApprovalKind
from maos.statuses import ApprovalStatus, RunStatus
from sql.approval_tables import AgentPendingAction
from sql.approvals import approval_of
from sql.tables import OrchestratorRun

_NOW = func.clock_timestamp()
# Not as a parameter: the partial indexes hold for this value alone.
_PENDING: ColumnElement[bool] = literal_column("(agent_pending_actions.status = 'pending')")


def organizations_with_due(*, session: Session) -> Sequence[UUID]:
    """Return the organisations in which an approval has to end, or to remind, by now."""
    due = or_(col(AgentPendingAction.expires_at) <= _NOW, col(AgentPendingAction.remind_at) <= _NOW)
    return session.exec(select(AgentPendingAction.org_id).where(_PENDING, due).distinct()).all()


def lock_unreminded(*, limit: int, session: Session) -> list[tuple[Approval, int]]:
    """Return approvals that have to remind by now, locked, each with how often it has."""
    statement = (
        select(AgentPendingAction)
        .where(
            _PENDING,
            col(AgentPendingAction.remind_at) <= _NOW,
            col(AgentPendingAction.expires_at) > _NOW,
        )
        .order_by(col(AgentPendingAction.remind_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [(approval_of(row), row.reminders_sent) for row in session.exec(statement)]


def note_reminder(approval_id: UUID, *, sent: int, next_at: datetime | None, session: Session) -> None:
    """Note that an approval has reminded, and when it does so next."""
    session.execute(
        update(AgentPendingAction)
        .where(col(AgentPendingAction.id) == approval_id)
        .values(reminders_sent=sent, remind_at=next_at)
    )


def asleep_over_expired(*, session: Session) -> Sequence[UUID]:
    """Return the runs that still wait at a form on which something has expired since."""
    expired = col(AgentPendingAction.status) == ApprovalStatus.EXPIRED
    return _asleep(expired, col(AgentPendingAction.decided_at) > OrchestratorRun.paused_at, session=session)


def asleep_over_withdrawn(*, session: Session) -> Sequence[UUID]:
    """Return the runs that still wait at a form which shows a question for more of a budget that was withdrawn."""
    asked = col(AgentPendingAction.kind) == ApprovalKind.BUDGET
    withdrawn = col(AgentPendingAction.status) == ApprovalStatus.CANCELLED
    shown = col(OrchestratorRun.gate_shown).op("?")(cast(col(AgentPendingAction.id), String))
    return _asleep(asked, withdrawn, shown, session=session)


def _asleep(*over: ColumnElement[bool], session: Session) -> Sequence[UUID]:
    statement = (
        select(OrchestratorRun.id)
        .join(AgentPendingAction, col(AgentPendingAction.run_id) == OrchestratorRun.id)
        .where(OrchestratorRun.status == RunStatus.PAUSED, *over)
        .distinct()
    )
    return session.exec(statement).all()


def runs_with_orphans(*, session: Session) -> Sequence[tuple[UUID, UUID]]:
    """Return the runs that have an end, and an approval that waits all the same, each with its organisation."""
    statement = (
        select(OrchestratorRun.id, OrchestratorRun.org_id)
        .join(AgentPendingAction, col(AgentPendingAction.run_id) == OrchestratorRun.id)
        .where(_PENDING, col(OrchestratorRun.completed_at).is_not(None))
        .distinct()
    )
    return session.exec(statement).all()


def lock_orphans(run_id: UUID, *, session: Session) -> list[Approval]:
    """Return the undecided approvals of a run, locked, if the run still has its end."""
    ended = select(OrchestratorRun.id).where(
        OrchestratorRun.id == run_id, col(OrchestratorRun.completed_at).is_not(None)
    )
    if session.exec(ended.with_for_update()).first() is None:
        return []
    statement = select(AgentPendingAction).where(_PENDING, AgentPendingAction.run_id == run_id).with_for_update()
    return [approval_of(row) for row in session.exec(statement)]
