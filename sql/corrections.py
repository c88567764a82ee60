"""Past calls of engines, as they are looked at again to correct what they cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, func, select
from sqlmodel import Session, col

from maos.corrections import PastCall
from sql.tables import AgentInvocation, InvocationVendorDetail, Organization, UsageEntry

_READ_AT_ONCE = 1000


@dataclass(frozen=True)
class CallFilter:
    """Which past calls: begun at `since` or later, and before `until`."""

    org_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[UUID] | None = None


def past_calls(which: CallFilter, *, session: Session) -> Iterator[PastCall]:
    """Yield the ended calls for which money was set aside, the oldest first; rehearsals are none."""
    call, detail = AgentInvocation, InvocationVendorDetail
    statement = (
        select(
            col(call.id).label("invocation_id"),
            col(call.org_id),
            col(Organization.slug).label("org"),
            col(call.run_id),
            col(call.step_id),
            col(call.attempt),
            col(call.engine_type).label("engine"),
            col(call.started_at),
            col(call.status),
            col(call.error_kind),
            col(detail.model),
            col(detail.raw_usage),
            col(detail.price_snapshot),
            col(call.cost_usd).label("settled_usd"),
            _corrections().label("corrected_usd"),
        )
        .join(Organization, col(Organization.id) == call.org_id)
        .outerjoin(detail, col(detail.invocation_id) == call.id)
        .where(~col(call.rehearsal), col(call.token_cost_estimate) > 0, col(call.completed_at).is_not(None))
        .order_by(col(call.started_at), col(call.id))
    )
    narrowed = _narrowed(statement, which).execution_options(yield_per=_READ_AT_ONCE)
    yield from (PastCall.model_validate(dict(row)) for row in session.execute(narrowed).mappings())


def lock_calls(ids: Sequence[UUID], *, session: Session) -> None:
    """Keep everybody else from correcting these calls until the transaction ends."""
    chosen = col(AgentInvocation.id).in_(ids)
    session.execute(select(col(AgentInvocation.id)).where(chosen).order_by(col(AgentInvocation.id)).with_for_update())


def _corrections() -> ScalarSelect[Decimal]:
    return (
        select(func.coalesce(func.sum(UsageEntry.amount_usd), 0))
        .where(col(UsageEntry.invocation_id) == AgentInvocation.id, col(UsageEntry.kind) == "correct")
        .correlate(AgentInvocation)
        .scalar_subquery()
    )


def _narrowed(statement: Select[tuple[object, ...]], which: CallFilter) -> Select[tuple[object, ...]]:
    if which.org_id:
        statement = statement.where(col(AgentInvocation.org_id) == which.org_id)
    if which.since:
        statement = statement.where(col(AgentInvocation.started_at) >= which.since)
    if which.until:
        statement = statement.where(col(AgentInvocation.started_at) < which.until)
    if which.ids is not None:
        statement = statement.where(col(AgentInvocation.id).in_(which.ids))
    return statement
