"""Approvals that ask for more of a budget, found by what they ask about."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal_column
from sqlmodel import Session, col, select

from maos.approvals import Approval
from sql.approval_tables import AgentPendingAction
from sql.approvals import approval_of

# Not as parameters: the partial index holds for these values alone.
_ASKED: ColumnElement[bool] = literal_column(
    "(agent_pending_actions.status = 'pending' AND agent_pending_actions.kind = 'budget')"
)


def organizations_that_ask(*, session: Session) -> Sequence[UUID]:
    """Return the organisations in which a run waits for more of a budget."""
    return session.exec(select(AgentPendingAction.org_id).where(_ASKED).distinct()).all()


def lock_questions(budget_id: UUID | None, *, session: Session) -> list[Approval]:
    """Return the open questions of an organisation, the oldest first, locked.

    One that somebody is deciding at this moment is left to them: whoever holds a budget may take these locks, since
    they are never waited for.

    Args:
        budget_id: only those about this budget.
    """
    statement = (
        select(AgentPendingAction)
        .where(_ASKED, col(AgentPendingAction.expires_at) > func.clock_timestamp())
        .order_by(col(AgentPendingAction.started_at), col(AgentPendingAction.id))
        .with_for_update(skip_locked=True)
    )
    if budget_id:
        statement = statement.where(col(AgentPendingAction.payload)["budget"].astext == str(budget_id))
    return [approval_of(row) for row in session.exec(statement)]
