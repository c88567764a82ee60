"""What was used, added up from the entries that settle and correct: the sums are those of the invoice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, case, cast, func
from sqlalchemy import select as columns
from sqlmodel import Session, col

from maos.usage_view import COUNTS, UsageDimension, UsageRow
from sql.tables import TOKENS, AgentInvocation, OrchestratorRun, Organization, UsageEntry

_CALL, _ENTRY = AgentInvocation, UsageEntry
# Any: SQLModel types columns as the values that they hold.
_DIMENSIONS: dict[UsageDimension, Any] = {
    UsageDimension.ORG: col(Organization.slug),
    UsageDimension.TEAM: col(OrchestratorRun.team),
    UsageDimension.ENTRYPOINT: col(OrchestratorRun.entrypoint),
    UsageDimension.AGENT: col(_CALL.agent_name),
    UsageDimension.ENGINE: col(_CALL.engine_type),
    UsageDimension.DAY: cast(func.timezone(Organization.timezone, col(_ENTRY.recorded_at)), Date),
}


@dataclass(frozen=True)
class UsageFilter:
    """Which entries: written at `since` or later, and before `until`."""

    org_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def usage_by(dimensions: Sequence[UsageDimension], which: UsageFilter, *, session: Session) -> list[UsageRow]:
    """Return what was used, for each combination of the dimensions that occurs."""
    groups = [_DIMENSIONS[dimension] for dimension in dimensions]
    found = session.execute(_sums(groups, which).group_by(*groups).order_by(*groups))
    return [_row(dimensions, tuple(row)) for row in found]


def _sums(groups: Sequence[ColumnElement[Any]], which: UsageFilter) -> Select[Any]:
    costs = col(_ENTRY.kind).in_(("settle", "correct"))
    # An invocation ends once, however often it is corrected; what was released without tokens was no call.
    ended = col(_ENTRY.kind).in_(("settle", "release"))
    was_call = ended & ((col(_ENTRY.kind) == "settle") | (TOKENS > 0))

    def tokens(count: object) -> ColumnElement[Any]:
        return func.coalesce(func.sum(case((ended, count), else_=0)), 0)

    statement = (
        columns(
            *groups,
            func.count().filter(was_call),
            tokens(_CALL.input_tokens),
            tokens(_CALL.output_tokens),
            tokens(_CALL.cache_read_tokens),
            tokens(_CALL.cache_write_tokens),
            func.coalesce(func.sum(case((costs, _ENTRY.amount_usd), else_=0)), 0),
        )
        .select_from(_ENTRY)
        .join(_CALL, col(_CALL.id) == col(_ENTRY.invocation_id))
        .join(OrchestratorRun, col(OrchestratorRun.id) == col(_ENTRY.run_id))
        .join(Organization, col(Organization.id) == col(_ENTRY.org_id))
        .where(col(_ENTRY.kind) != "reserve")
    )
    if which.org_id:
        statement = statement.where(col(_ENTRY.org_id) == which.org_id)
    if which.since:
        statement = statement.where(col(_ENTRY.recorded_at) >= which.since)
    if which.until:
        statement = statement.where(col(_ENTRY.recorded_at) < which.until)
    return statement


def _row(dimensions: Sequence[UsageDimension], row: tuple[object, ...]) -> UsageRow:
    values = row[len(dimensions) :]
    return UsageRow(
        keys={dimension: _key(dimension, value) for dimension, value in zip(dimensions, row, strict=False)},
        usd=Decimal(str(values[-1])),
        **{name: int(str(value)) for name, value in zip(COUNTS, values, strict=False)},
    )


def _key(dimension: UsageDimension, value: object) -> str:
    return dimension.shown(None if value is None else str(value))
