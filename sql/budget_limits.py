"""Rows of `budgets`: the limits that people set, and whom they belong to."""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, col, select

from maos.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from sql.budget_tables import Budget, BudgetPeriodRow
from sql.tables import Organization


def key_of(budget: Budget) -> BudgetKey:
    """Return which budget a row is."""
    return BudgetKey(
        scope=BudgetScope(budget.scope),
        owner=budget.scope_id,
        unit=BudgetUnit(budget.unit),
        period=BudgetPeriod(budget.period),
    )


def find_budget(key: BudgetKey, *, org_id: UUID, session: Session) -> Budget | None:
    """Return a budget, locked against whoever would begin a period of it or change it."""
    statement = select(Budget).where(
        Budget.org_id == org_id,
        Budget.scope == key.scope,
        Budget.scope_id == key.owner,
        Budget.period == key.period,
        Budget.unit == key.unit,
    )
    return session.exec(statement.with_for_update(key_share=True)).first()


def add_budget(key: BudgetKey, limit: Decimal, thresholds: Sequence[int], *, org_id: UUID, session: Session) -> Budget:
    """Add a budget; its first period begins with the first call."""
    row = Budget(
        org_id=org_id,
        scope=key.scope,
        scope_id=key.owner,
        period=key.period,
        unit=key.unit,
        limit_amount=limit,
        thresholds=list(thresholds),
    )
    session.add(row)
    session.flush()
    return row


def find_budgets(budget_ids: Collection[UUID], *, session: Session) -> Sequence[Budget]:
    """Return those of the budgets that there are."""
    return session.exec(select(Budget).where(col(Budget.id).in_(budget_ids))).all()


def list_budgets(org_id: UUID, run_id: UUID | None, *, session: Session) -> Sequence[Budget]:
    """Return the budgets that an organisation has set, and those of one run where one is named."""
    shown = col(Budget.scope) != BudgetScope.RUN
    if run_id:
        shown |= col(Budget.scope_id) == str(run_id)
    statement = select(Budget).where(Budget.org_id == org_id, shown)
    ordered = statement.order_by(
        col(Budget.scope), col(Budget.scope_id), col(Budget.unit), col(Budget.period), col(Budget.id)
    )
    return session.exec(ordered).all()


def zone_of(org_id: UUID, *, session: Session) -> ZoneInfo:
    """Return the time zone of an organisation."""
    return ZoneInfo(session.exec(select(Organization.timezone).where(Organization.id == org_id)).one())


def set_zone(org_id: UUID, zone: ZoneInfo, *, session: Session) -> None:
    """Change the time zone of an organisation."""
    session.execute(update(Organization).where(col(Organization.id) == org_id).values(timezone=zone.key))


def watched_budgets(*, session: Session) -> Sequence[tuple[Budget, str]]:
    """Return every budget that has thresholds, with the time zone of its organisation."""
    statement = (
        select(Budget, Organization.timezone)
        .join(Organization, col(Organization.id) == Budget.org_id)
        .where(col(Budget.thresholds) != [])
        .order_by(col(Budget.id))
    )
    return session.exec(statement).all()


def claim_notice(budget_id: UUID, period_start: date, percent: int, *, session: Session) -> int | None:
    """Note that a threshold was passed; return the highest one noted before, or None when this one was."""
    period = select(BudgetPeriodRow).where(
        BudgetPeriodRow.budget_id == budget_id,
        BudgetPeriodRow.period_start == period_start,
        BudgetPeriodRow.noticed < percent,
    )
    row = session.exec(period.with_for_update(key_share=True)).first()
    if row is None:
        return None
    before, row.noticed = row.noticed, percent
    session.add(row)
    return before
