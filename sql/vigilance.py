"""Votes with how long they took and what there was to read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy import select as columns
from sqlmodel import Session, col

from maos.vigilance import Look
from sql.approval_tables import AgentActionVote, AgentPendingAction
from sql.tables import User


def looks_between(org_id: UUID, since: datetime, until: datetime, *, session: Session) -> list[Look]:
    """Return every vote of an organisation in a period, in the order they were given."""
    statement = (
        columns(
            col(User.email).label("person"),
            col(AgentPendingAction.risk),
            col(AgentActionVote.decision),
            col(AgentActionVote.via),
            col(AgentPendingAction.run_id),
            col(AgentPendingAction.started_at).label("asked_at"),
            col(AgentActionVote.voted_at),
            (func.length(col(AgentPendingAction.title)) + func.length(col(AgentPendingAction.preview))).label(
                "characters"
            ),
        )
        .join(AgentPendingAction, col(AgentPendingAction.id) == AgentActionVote.approval_id)
        .join(User, col(User.id) == AgentActionVote.user_id)
        .where(
            col(AgentActionVote.org_id) == org_id,
            col(AgentActionVote.voted_at) >= since,
            col(AgentActionVote.voted_at) < until,
        )
        .order_by(col(AgentActionVote.voted_at), col(AgentActionVote.approval_id))
    )
    return [Look.model_validate(row._mapping) for row in session.execute(statement)]
