"""Budgets, and calls that are reserved and settled as the application does it, for tests and benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from maos.budgets import BudgetPeriod, BudgetScope, BudgetUnit
from sql import budgets
from sql.budget_tables import Budget
from sql.session import org_session, system_session
from sql.tables import AgentInvocation
from tests.rows import invocation


def add_budget(
    org_id: UUID,
    limit: str,
    *,
    scope: BudgetScope = BudgetScope.ORG,
    owner: str | None = None,
    period: BudgetPeriod = BudgetPeriod.TOTAL,
    unit: BudgetUnit = BudgetUnit.USD,
    thresholds: Sequence[int] = (),
) -> UUID:
    """Add a budget; return its id."""
    row = Budget(
        org_id=org_id,
        scope=scope,
        scope_id=owner or str(org_id),
        period=period,
        unit=unit,
        limit_amount=Decimal(limit),
        thresholds=list(thresholds),
    )
    with org_session(org_id) as session:
        session.add(row)
    return row.id


def begin(org_id: UUID, run_id: UUID, ceiling: str, step: str, **asked: Any) -> AgentInvocation:
    """Write a call with what it sets aside, in one transaction.

    Raises:
        BudgetExceeded: when it does not fit.
    """
    row = invocation(org_id, run_id, ceiling, step)
    with org_session(org_id) as session:
        session.add(row)
        session.flush()
        budgets.reserve(row, session=session, **asked)
    return row


def end(row: AgentInvocation, cost: str, *, tokens: int = 0) -> None:
    """Settle a call in a transaction of its own."""
    with org_session(row.org_id) as session:
        row.status, row.output = "completed", {}
        row.cost_usd, row.input_tokens = Decimal(cost), tokens
        session.add(row)
        budgets.settle(row, session=session)


@dataclass(frozen=True)
class Standing:
    """What a period of a budget comes to."""

    limit: Decimal
    reserved: Decimal
    spent: Decimal
    left: Decimal


def standing(budget_id: UUID) -> Standing:
    """Return what the newest period of a budget comes to."""
    query = text(
        "SELECT limit_amount, reserved, spent, remaining FROM budget_standings WHERE budget_id = :id "
        "ORDER BY period_start DESC LIMIT 1"
    )
    with system_session() as session:
        return Standing(*session.execute(query, {"id": budget_id}).one())
