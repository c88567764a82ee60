"""Reservations keep concurrent callers below every limit that they fall under, to the last digit."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from maos.budgets import BudgetPeriod, BudgetScope, BudgetUnit, Hold
from maos.errors import BudgetExceeded
from sql import budgets
from sql.budgets import RunCaps
from sql.session import org_session, system_session
from sql.tables import AgentInvocation
from tasks.abandonment import abandon_running
from tasks.ledger import find_run
from tests.budgets import Standing, add_budget, begin, end, standing
from tests.gates import rows, wait_for
from tests.rows import add_run, invocation


def _call(org_id: UUID, run_id: UUID, step: str, ceiling: str, cost: str | None) -> bool:
    try:
        row = begin(org_id, run_id, ceiling, step)
    except BudgetExceeded:
        return False
    end(row, cost or "0")
    return True


def _cap(org_id: UUID, run_id: UUID, **caps: Decimal | int) -> None:
    with org_session(org_id) as session:
        budgets.add_run_caps(run_id, RunCaps(**caps), org_id=org_id, session=session)  # type: ignore[arg-type]


def _standing(scope: str = "run") -> tuple[Decimal, Decimal]:
    ((reserved, spent),) = rows(f"SELECT reserved, spent FROM budget_standings WHERE scope = '{scope}'")
    return reserved, spent


def test_concurrent_callers_pass_a_limit_by_nothing(org_id: UUID) -> None:
    run_id = add_run(org_id)
    _cap(org_id, run_id, usd=Decimal(1))
    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(lambda n: _call(org_id, run_id, f"s{n}", "0.07000001", "0.07000001"), range(60)))

    reserved, spent = _standing()
    assert reserved == 0
    assert spent == sum(taken) * Decimal("0.07000001")
    assert sum(taken) == 14


def test_what_is_not_spent_is_released(org_id: UUID) -> None:
    run_id = add_run(org_id)
    _cap(org_id, run_id, usd=Decimal(1))

    assert _call(org_id, run_id, "a", "0.9", "0.00000001")
    assert _call(org_id, run_id, "b", "0.9", None)
    assert not _call(org_id, run_id, "c", "1", None)
    assert _standing() == (0, Decimal("0.00000001"))
    with org_session(org_id) as session:
        assert budgets.cost_of_run(run_id, session=session) == Decimal("0.00000001")
    assert rows("SELECT kind, sum(amount_usd) FROM usage_entries GROUP BY kind ORDER BY kind") == [
        ("release", Decimal("0.9")),
        ("reserve", Decimal("1.8")),
        ("settle", Decimal("0.00000001")),
    ]


@pytest.mark.parametrize(
    ("scope", "owner"),
    [(BudgetScope.ORG, None), (BudgetScope.TEAM, "design"), (BudgetScope.AGENT, "clerk")],
)
@pytest.mark.parametrize("unit", BudgetUnit)
def test_a_call_must_fit_into_every_budget_it_falls_under(
    org_id: UUID, scope: BudgetScope, owner: str | None, unit: BudgetUnit
) -> None:
    limit = {BudgetUnit.USD: "1.5", BudgetUnit.TOKENS: "1500", BudgetUnit.CALLS: "1"}[unit]
    roomy = add_budget(org_id, "100", period=BudgetPeriod.DAY)
    narrow = add_budget(org_id, limit, scope=scope, owner=owner, unit=unit)
    end(begin(org_id, add_run(org_id), "1", "a", team="design", ceiling_tokens=1000), "0.7", tokens=900)

    with pytest.raises(BudgetExceeded) as refused:
        begin(org_id, add_run(org_id), "1", "b", team="design", ceiling_tokens=1000)
    used = {BudgetUnit.USD: Decimal("0.7"), BudgetUnit.TOKENS: Decimal(900), BudgetUnit.CALLS: Decimal(1)}[unit]
    assert (refused.value.scope, Hold.model_validate_json(refused.value.hold).unit) == (scope.value, unit)
    assert standing(narrow) == Standing(Decimal(limit), Decimal(0), used, Decimal(limit) - used)
    # What the other budgets had set aside for the refused call went with its transaction.
    assert standing(roomy).reserved == 0


def test_budgets_of_others_are_not_touched(org_id: UUID) -> None:
    others = [
        add_budget(org_id, "0", scope=BudgetScope.TEAM, owner="other"),
        add_budget(org_id, "0", scope=BudgetScope.AGENT, owner="other"),
    ]

    assert _call(org_id, add_run(org_id), "a", "1", "1")
    assert rows(f"SELECT * FROM budget_periods WHERE budget_id IN ('{others[0]}', '{others[1]}')") == []


def test_a_call_belongs_to_the_period_in_which_it_began(org_id: UUID) -> None:
    rows("UPDATE organizations SET timezone = 'Europe/Berlin' RETURNING id")
    budget = add_budget(org_id, "1", period=BudgetPeriod.DAY)
    run_id = add_run(org_id)
    before = begin_at(org_id, run_id, datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC), "a")
    # The clocks are put back on this day: it has 25 hours.
    for step, hours in (("b", 0), ("c", 25)):
        begin_at(org_id, run_id, datetime(2026, 10, 24, 22, tzinfo=UTC) + timedelta(hours=hours), step)
    with pytest.raises(BudgetExceeded):
        begin_at(org_id, run_id, datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), "d")
    end(before, "0.4")

    assert [
        (f"{day}", reserved, spent)
        for day, reserved, spent in rows(
            f"SELECT period_start, reserved, spent FROM budget_standings WHERE budget_id = '{budget}' ORDER BY 1"
        )
    ] == [("2026-10-24", 0, Decimal("0.4")), ("2026-10-25", 1, 0), ("2026-10-26", 1, 0)]


def begin_at(org_id: UUID, run_id: UUID, at: datetime, step: str) -> AgentInvocation:
    row = invocation(org_id, run_id, "1", step)
    row.started_at = at
    with org_session(org_id) as session:
        session.add(row)
        session.flush()
        budgets.reserve(row, session=session)
    return row


@contextmanager
def _locked(database: str, budget: UUID, shares: str) -> Iterator[None]:
    with psycopg.connect(database) as connection:
        locked = f"SELECT FROM budget_shares WHERE budget_id = '{budget}' AND share {shares} FOR UPDATE"
        assert connection.execute(locked.encode()).rowcount
        yield
        connection.rollback()


def _wait_for_one_that_waits(database: str) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(database, autocommit=True) as connection:
        wait_for(lambda: connection.execute(waiting).fetchone())


def _divide(database: str, org_id: UUID, budget: UUID) -> None:
    """Have a call of no cost meet another one that changes the budget."""
    run_id = add_run(org_id)
    assert _call(org_id, run_id, "first", "0.01", "0")
    with ThreadPoolExecutor(1) as pool:
        with _locked(database, budget, "= 0"):
            called = pool.submit(_call, org_id, run_id, "second", "0.01", "0")
            _wait_for_one_that_waits(database)
        assert called.result(timeout=60)
    assert rows("SELECT shares > 1 FROM budget_standings") == [(True,)]


def test_a_call_waits_for_one_share_only(database: str, org_id: UUID) -> None:
    budget = add_budget(org_id, "10")
    _divide(database, org_id, budget)
    with ThreadPoolExecutor(1) as pool, _locked(database, budget, "= 0"):
        with _locked(database, budget, "> 0"):
            called = pool.submit(_call, org_id, add_run(org_id), "a", "0.05", "0.02")
            _wait_for_one_that_waits(database)
        # The first share is still locked.
        assert called.result(timeout=60)
    assert standing(budget).spent == Decimal("0.02")


def test_a_budget_in_shares_is_used_to_its_last_cent(database: str, org_id: UUID) -> None:
    budget = add_budget(org_id, "10")
    _divide(database, org_id, budget)
    run_id = add_run(org_id)
    assert _call(org_id, run_id, "first", "0.01", "0.01")

    # No share holds that much: it is taken together from all of them.
    assert not _call(org_id, run_id, "too much", "9.99000001", "1")
    assert _call(org_id, run_id, "rest", "9.99", "9.99")
    assert standing(budget) == Standing(Decimal(10), Decimal(0), Decimal(10), Decimal(0))


def test_what_costs_more_than_was_set_aside_stops_what_comes_next(org_id: UUID) -> None:
    budget = add_budget(org_id, "10")
    run_id = add_run(org_id)
    assert _call(org_id, run_id, "a", "0.01", "12")

    assert standing(budget).left == -2
    assert not _call(org_id, run_id, "b", "0.00000001", "0")
    assert rows("SELECT shares FROM budget_standings") == [(1,)]


def test_a_call_whose_fate_is_unknown_counts_with_all_it_could_take(org_id: UUID) -> None:
    tokens = add_budget(org_id, "5000", unit=BudgetUnit.TOKENS)
    run_id = add_run(org_id)
    begin(org_id, run_id, "1", "a", ceiling_tokens=4000)
    _abandon(run_id)

    assert standing(tokens) == Standing(Decimal(5000), Decimal(0), Decimal(4000), Decimal(1000))


def _abandon(run_id: UUID) -> None:
    """End what a dead process left running, as the one does that takes its run up."""
    run = find_run(run_id)
    assert run is not None
    with org_session(run.org_id) as session:
        abandon_running(run, session=session)


_CALLERS, _CALLS = 100, 10
# A pool of connections is waited for by the clock, which a busy machine does not keep.
_CONNECTED = threading.BoundedSemaphore(20)


class _Killed(Exception):
    """The process ended in the middle of a transaction."""


@contextmanager
def _watched(limits: dict[UUID, Decimal]) -> Iterator[list[str]]:
    """Look again and again while the body runs, at what is committed: whether anything is beyond a limit."""
    over: list[str] = []
    ended = threading.Event()
    query = text("SELECT budget_id, reserved + spent, remaining FROM budget_standings")

    def look() -> None:
        while not ended.wait(0.02):
            with system_session() as session:
                for budget_id, taken, left in session.execute(query):
                    if taken > limits[budget_id] or taken + left != limits[budget_id]:
                        over.append(f"{budget_id}: {taken} taken, {left} left")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield over
    finally:
        ended.set()
        watcher.join()


@pytest.mark.timeout(1800)
def test_a_thousand_calls_of_a_hundred_callers_with_failures_and_kills_pass_no_limit(org_id: UUID) -> None:
    limits = {
        add_budget(org_id, "12.34567891"): Decimal("12.34567891"),
        add_budget(org_id, "11.5", scope=BudgetScope.TEAM, owner="design", period=BudgetPeriod.DAY): Decimal("11.5"),
        add_budget(org_id, "600", scope=BudgetScope.AGENT, owner="clerk", unit=BudgetUnit.CALLS): Decimal(600),
    }
    callers = [add_run(org_id) for _ in range(_CALLERS)]
    with _watched(limits) as over, ThreadPoolExecutor(_CALLERS) as pool:
        counts = list(pool.map(lambda n: _caller(org_id, callers[n], seed=n), range(_CALLERS)))
    refused = sum(counts)
    for run_id in callers:
        _abandon(run_id)

    assert over == []
    # The budgets were fought for: there were calls that did not fit, and they are all but used up.
    assert 0 < refused < _CALLERS * _CALLS
    found = {budget: standing(budget) for budget in limits}
    assert {budget: (now.limit, now.reserved) for budget, now in found.items()} == {
        budget: (limit, 0) for budget, limit in limits.items()
    }
    ((settled, calls),) = rows("SELECT sum(amount_usd), count(*) FROM usage_entries WHERE kind = 'settle'")
    assert [now.spent for now in found.values()] == [settled, settled, calls]
    # Every reservation has its end, and there is no other end.
    assert rows(
        "SELECT count(*) FILTER (WHERE kind = 'reserve'), count(*) FILTER (WHERE kind <> 'reserve'), "
        "count(DISTINCT invocation_id) FROM usage_entries"
    ) == [(calls_in_all(), calls_in_all(), calls_in_all())]


def calls_in_all() -> int:
    ((count,),) = rows("SELECT count(*) FROM agent_invocations")
    return int(count)


def _caller(org_id: UUID, run_id: UUID, *, seed: int) -> int:
    """Make calls that cost what they will, fail, and are killed at every point; return how many did not fit."""
    chance = random.Random(seed)  # noqa: S311 - the same calls every time
    refused = 0
    for number in range(_CALLS):
        ceiling = Decimal(chance.randint(1, 9_000_000)).scaleb(-8)
        try:
            _one_call(org_id, run_id, f"s{number}", ceiling, chance)
        except BudgetExceeded:
            refused += 1
        except _Killed:
            pass
    return refused


def _one_call(org_id: UUID, run_id: UUID, step: str, ceiling: Decimal, chance: random.Random) -> None:
    fate = chance.random()
    row = invocation(org_id, run_id, f"{ceiling}", step)
    with _CONNECTED, org_session(org_id) as session:
        session.add(row)
        session.flush()
        budgets.reserve(row, team="design", session=session)
        if fate < 0.1:
            raise _Killed
    if fate < 0.25:
        # Whoever takes the run up will find it running.
        return
    with _CONNECTED, org_session(org_id) as session:
        failed = fate < 0.45
        row.status, row.error_kind = ("failed", "overloaded") if failed else ("completed", None)
        row.output = None if failed else {}
        # Now and then by a hair less than all of it.
        row.cost_usd = Decimal(0) if failed else ceiling - chance.choice([Decimal(0), Decimal("1e-8"), ceiling / 2])
        row.cost_usd = round(row.cost_usd, 8)
        session.add(row)
        session.flush()
        budgets.settle(row, session=session)
        if fate > 0.95:
            raise _Killed
