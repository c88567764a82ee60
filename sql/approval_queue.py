"""The queue of approvals: listed by risk and age, page by page; and those that are alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, func, literal_column, tuple_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from maos.approvals import Approval
from maos.bulk import sameness_of
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus
from sql.approval_tables import AgentPendingAction
from sql.approvals import approval_of
from sql.tables import OrchestratorRun, Organization

_PAGE = 200
# Word for word as in the index.
_URGENCY: ColumnElement[int] = literal_column(
    "(CASE agent_pending_actions.risk WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END)"
)
# Not as a parameter: the partial indexes hold for this value alone.
_PENDING: ColumnElement[bool] = literal_column("(agent_pending_actions.status = 'pending')")


class QueueFilter(BaseModel):
    """Which approvals are asked for; what is left out does not matter."""

    model_config = ConfigDict(frozen=True)

    org_id: UUID | None = None
    status: ApprovalStatus | None = None
    risk: RiskLevel | None = None
    team: str | None = None
    entrypoint: str | None = None
    expiring_within: timedelta | None = None


@dataclass(frozen=True)
class Listed:
    """An approval in a list, with where it belongs."""

    row: AgentPendingAction
    org: str
    entrypoint: str | None

    @property
    def approval(self) -> Approval:
        """The approval as the rules read it."""
        return approval_of(self.row)


def list_approvals(wanted: QueueFilter, *, after: UUID | None = None, limit: int, session: Session) -> Sequence[Listed]:
    """Return approvals: pending ones the riskiest first, then the oldest; others the newest first.

    Args:
        after: the last one of the page before.
    """
    statement = (
        select(AgentPendingAction, Organization.slug, OrchestratorRun.entrypoint)
        .join(Organization, col(Organization.id) == AgentPendingAction.org_id)
        .outerjoin(OrchestratorRun, col(OrchestratorRun.id) == AgentPendingAction.run_id)
        .where(*_conditions(wanted))
        .limit(limit)
    )
    place = (_URGENCY, col(AgentPendingAction.started_at), col(AgentPendingAction.id))
    if wanted.status is ApprovalStatus.PENDING:
        statement = statement.order_by(*place)
        if after:
            statement = statement.where(tuple_(*place) > tuple_(*_place_of(after, place, session=session)))
    else:
        statement = statement.order_by(*(column.desc() for column in place[1:]))
        if after:
            statement = statement.where(tuple_(*place[1:]) < tuple_(*_place_of(after, place[1:], session=session)))
    return [Listed(row=row, org=org, entrypoint=name) for row, org, name in session.exec(statement)]


def _conditions(wanted: QueueFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.status is ApprovalStatus.PENDING:
        yield _PENDING
    elif wanted.status:
        yield col(AgentPendingAction.status) == wanted.status
    if wanted.org_id:
        yield col(AgentPendingAction.org_id) == wanted.org_id
    if wanted.risk:
        yield _URGENCY.bool_op("=")(literal_column(str(len(RiskLevel) - 1 - wanted.risk.rank)))
    if wanted.team:
        yield col(OrchestratorRun.team) == wanted.team
    if wanted.entrypoint:
        yield col(OrchestratorRun.entrypoint) == wanted.entrypoint
    if wanted.expiring_within is not None:
        yield col(AgentPendingAction.expires_at) <= func.clock_timestamp() + wanted.expiring_within


# Any: columns and values of any type.
def _place_of(approval_id: UUID, place: Sequence[Any], *, session: Session) -> Sequence[Any]:
    return session.execute(select(*place).where(AgentPendingAction.id == approval_id)).one()


def alike(like: Approval, *, critical: bool, limit: int, session: Session) -> list[Approval]:
    """Return pending approvals that one gesture may decide with this one, the riskiest first.

    Args:
        critical: whether critical ones are among them.
    """
    found: list[Approval] = []
    for approval in _candidates(like, critical=critical, session=session):
        if sameness_of(approval) == sameness_of(like):
            found.append(approval)
        if len(found) == limit:
            break
    return found


def _candidates(like: Approval, *, critical: bool, session: Session) -> Iterator[Approval]:
    place = (_URGENCY, col(AgentPendingAction.started_at), col(AgentPendingAction.id))
    statement = _of_the_action(like).order_by(*place)
    if not critical:
        statement = statement.where(col(AgentPendingAction.risk) != RiskLevel.CRITICAL)
    # Row by row from the server: of a long queue only what is looked at is read.
    rows = session.exec(statement.execution_options(yield_per=_PAGE))
    yield from map(approval_of, rows)


def count_critical(like: Approval, *, session: Session) -> int:
    """Return how many critical approvals of the same action of the same organisation wait."""
    critical = _of_the_action(like).where(AgentPendingAction.risk == RiskLevel.CRITICAL)
    return session.exec(select(func.count()).select_from(critical.subquery())).one()


def _of_the_action(like: Approval) -> SelectOfScalar[AgentPendingAction]:
    return select(AgentPendingAction).where(
        _PENDING,
        AgentPendingAction.org_id == like.org_id,
        AgentPendingAction.action == like.action,
        AgentPendingAction.kind == like.kind,
        col(AgentPendingAction.expires_at) > func.clock_timestamp(),
    )
