"""What periods of budgets come to: limits with what is reserved, spent and left."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Row, Select, column, select, table
from sqlmodel import Session

from maos.budgets import BudgetPeriod, BudgetScope, BudgetUnit

_VIEW = table(
    "budget_standings",
    *(
        column(name)
        for name in (
            "org_id",
            "budget_id",
            "scope",
            "scope_id",
            "period",
            "unit",
            "period_start",
            "limit_amount",
            "reserved",
            "spent",
            "remaining",
        )
    ),
)


@dataclass(frozen=True)
class Standing:
    """What a period of a budget comes to."""

    org_id: UUID
    budget_id: UUID
    scope: BudgetScope
    scope_id: str
    period: BudgetPeriod
    unit: BudgetUnit
    period_start: date
    limit: Decimal
    reserved: Decimal
    spent: Decimal
    left: Decimal


def standing_of(budget_id: UUID, period_start: date, *, session: Session) -> Standing:
    """Return what a period of a budget that has begun comes to."""
    return _standing(session.execute(_of(budget_id, period_start)).one())


def find_standing(budget_id: UUID, period_start: date, *, session: Session) -> Standing | None:
    """Return the same, or None where nothing was taken from the period yet."""
    found = session.execute(_of(budget_id, period_start)).first()
    return _standing(found) if found else None


def _of(budget_id: UUID, period_start: date) -> Select[tuple[object, ...]]:
    return select(*_VIEW.c).where(_VIEW.c.budget_id == budget_id, _VIEW.c.period_start == period_start)


def _standing(row: Row[tuple[object, ...]]) -> Standing:
    org_id, budget_id, scope, scope_id, period, unit, *rest = row
    return Standing(
        org_id,
        budget_id,
        BudgetScope(scope),
        scope_id,
        BudgetPeriod(period),
        BudgetUnit(unit),
        *rest,
    )
