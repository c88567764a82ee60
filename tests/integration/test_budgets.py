"""Reservations keep concurrent callers below a limit, to the last digit."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from maos.errors import BudgetExceeded
from sql import budgets
from sql.budgets import RunCaps
from sql.session import org_session
from tests.rows import add_run, invocation


def _call(org_id: UUID, run_id: UUID, step: str, ceiling: str, cost: str | None) -> bool:
    row = invocation(org_id, run_id, ceiling, step)
    try:
        with org_session(org_id) as session:
            session.add(row)
            session.flush()
            budgets.reserve(row, session=session)
    except BudgetExceeded:
        return False
    with org_session(org_id) as session:
        row.cost_usd = Decimal(cost or 0)
        session.add(row)
        budgets.settle(row, session=session)
    return True


def _budget(org_id: UUID) -> tuple[Decimal, Decimal]:
    with org_session(org_id) as session:
        reserved, spent = session.execute(text("SELECT reserved, spent FROM budget_standings")).one()
    return reserved, spent


def test_concurrent_callers_pass_a_limit_by_nothing(org_id: UUID) -> None:
    run_id = add_run(org_id)
    with org_session(org_id) as session:
        budgets.add_run_caps(run_id, RunCaps(usd=Decimal(1)), org_id=org_id, session=session)
    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(lambda n: _call(org_id, run_id, f"s{n}", "0.07000001", "0.07000001"), range(60)))

    reserved, spent = _budget(org_id)
    assert reserved == 0
    assert spent == sum(taken) * Decimal("0.07000001")
    assert sum(taken) == 14


def test_what_is_not_spent_is_released(org_id: UUID) -> None:
    run_id = add_run(org_id)
    with org_session(org_id) as session:
        budgets.add_run_caps(run_id, RunCaps(usd=Decimal(1)), org_id=org_id, session=session)

    assert _call(org_id, run_id, "a", "0.9", "0.00000001")
    assert _call(org_id, run_id, "b", "0.9", None)
    assert not _call(org_id, run_id, "c", "1", None)
    assert _budget(org_id) == (0, Decimal("0.00000001"))
    with org_session(org_id) as session:
        entries = session.execute(
            text("SELECT kind, sum(amount_usd) FROM usage_entries GROUP BY kind ORDER BY kind")
        ).all()
        assert budgets.cost_of_run(run_id, session=session) == Decimal("0.00000001")
    assert [tuple(entry) for entry in entries] == [
        ("release", Decimal("0.9")),
        ("reserve", Decimal("1.8")),
        ("settle", Decimal("0.00000001")),
    ]
