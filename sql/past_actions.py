"""What an organisation's runs have done and asked since a time, read for the rehearsal of rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from maos.approvals import ApprovalKind
from maos.statuses import InvocationStatus
from sql.approval_tables import AgentPendingAction
from sql.tables import AgentInvocation, OrchestratorRun, User, UserOrganization


@dataclass(frozen=True)
class PastStep:
    """A step that was begun, all its tries together."""

    run_id: UUID
    step_id: str
    action: str
    spent_usd: Decimal
    reserved_usd: Decimal


def steps_since(org_id: UUID, since: datetime, *, session: Session) -> list[PastStep]:
    """Return every step that was begun: not those that were skipped, nor outcomes taken over from other runs."""
    statement = (
        columns(
            col(AgentInvocation.run_id),
            col(AgentInvocation.step_id),
            col(AgentInvocation.action),
            func.sum(AgentInvocation.cost_usd),
            func.sum(AgentInvocation.token_cost_estimate),
        )
        .where(
            col(AgentInvocation.org_id) == org_id,
            col(AgentInvocation.started_at) >= since,
            col(AgentInvocation.status) != InvocationStatus.SKIPPED,
            col(AgentInvocation.reused_from).is_(None),
        )
        .group_by(col(AgentInvocation.run_id), col(AgentInvocation.step_id), col(AgentInvocation.action))
        .order_by(func.min(AgentInvocation.started_at), col(AgentInvocation.step_id))
    )
    return [PastStep(*row) for row in session.execute(statement)]


def requests_since(org_id: UUID, since: datetime, *, session: Session) -> Sequence[AgentPendingAction]:
    """Return the newest request for an approval of each action that was asked about."""
    statement = (
        select(AgentPendingAction)
        .where(
            AgentPendingAction.org_id == org_id,
            AgentPendingAction.started_at >= since,
            AgentPendingAction.kind == ApprovalKind.ACTION,
        )
        .distinct(col(AgentPendingAction.run_id), col(AgentPendingAction.step_id))
        .order_by(
            col(AgentPendingAction.run_id), col(AgentPendingAction.step_id), col(AgentPendingAction.started_at).desc()
        )
    )
    return session.exec(statement).all()


def runs_of_ids(run_ids: Sequence[UUID], *, session: Session) -> dict[UUID, OrchestratorRun]:
    """Return runs by their id."""
    statement = select(OrchestratorRun).where(col(OrchestratorRun.id).in_(run_ids))
    return {row.id: row for row in session.exec(statement)}


def members_of(org_id: UUID, *, session: Session) -> dict[str, frozenset[str]]:
    """Return the roles of everybody in an organisation, by email address."""
    statement = (
        select(User.email, func.array_agg(UserOrganization.role))
        .join(UserOrganization, col(UserOrganization.user_id) == User.id)
        .where(UserOrganization.org_id == org_id)
        .group_by(col(User.email))
    )
    return {email: frozenset(roles) for email, roles in session.execute(statement)}
