"""How many calls an organisation's one budget lets through a second: `make bench-budgets` prints it.

The naive way keeps one row for the budget and locks it until the commit, as most would write it. Both ways write the
same invocations and entries through the same sessions, from 32 writers in four processes, on a PostgreSQL that flushes
every commit to its disk, as in production: once beside it, and as far away as another machine is.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import Engine, event, text

from deployments.embedded.postgres import Cluster
from maos.errors import BudgetExceeded
from maos.statuses import InvocationStatus
from sql import attempts, budgets, database
from sql import session as maos_session
from sql.attempts import Begin, End
from sql.demo import ensure_demo_organization
from sql.organizations import find_organization
from sql.session import org_session, org_session_with, system_session
from sql.tables import UsageEntry, utc_now
from sql.trips import send
from tests.budgets import add_budget, standing
from tests.rows import add_run

_PROCESSES, _THREADS = 4, 8
_SECONDS, _START_SECONDS = 10.0, 120.0
# What a statement takes to another machine and back; each of several that go on one trip takes as long here.
_DISTANCES_MS = (0.0, 0.5, 1.0)
_CEILING, _COST = Decimal("0.05"), Decimal("0.02")
_END = End(InvocationStatus.COMPLETED, output={}, cost_usd=_COST)


class _Shares:
    """The way of maos, on as many trips as its attempts take."""

    def call(self, begin: Begin) -> bool:
        """Make a call; return whether it fitted into the budget."""
        asking = budgets.asking_for_limits(vars(begin), None)
        try:
            with org_session_with(asking, org_id=begin.org_id) as (session, (limits,)):
                begun = attempts.begin(begin, session=session)
                holds = budgets.reserve_within(limits, begun, session=session)
        except BudgetExceeded:
            return False
        settlement = budgets.Settlement(begun, budgets.used_of(_COST, 0), holds)
        orders = (attempts.ending(begun.id, _END), *settlement.orders)
        with org_session_with(*orders, org_id=begin.org_id) as (session, (ended, *settled)):
            assert attempts.ended(ended, _END)
            settlement.conclude(settled, session=session)
        return True


class _OneRow:
    """The naive way."""

    def call(self, begin: Begin) -> bool:
        """Make a call; return whether it fitted into the budget."""
        with org_session(begin.org_id) as session:
            attempts.begin(begin, session=session)
            left = session.scalar(text("SELECT limit_usd - reserved_usd - spent_usd FROM naive_budget FOR UPDATE"))
            if left < _CEILING:
                return False
            session.execute(text("UPDATE naive_budget SET reserved_usd = reserved_usd + :amount"), {"amount": _CEILING})
            session.add(_entry(begin, "reserve", _CEILING))
        with org_session(begin.org_id) as session:
            assert send(attempts.ending(begin.id, _END), session=session) != [[]]
            settled = text(
                "UPDATE naive_budget SET reserved_usd = reserved_usd - :reserved, spent_usd = spent_usd + :cost"
            )
            session.execute(settled, {"reserved": _CEILING, "cost": _COST})
            session.add(_entry(begin, "settle", _COST))
        return True


_Way = _Shares | _OneRow


def _entry(begin: Begin, kind: str, amount: Decimal) -> UsageEntry:
    return UsageEntry(org_id=begin.org_id, run_id=begin.run_id, invocation_id=begin.id, kind=kind, amount_usd=amount)


def _begin(org_id: UUID, run_id: UUID, step: str) -> Begin:
    return Begin(
        id=uuid4(),
        org_id=org_id,
        run_id=run_id,
        step_id=step,
        attempt=1,
        run_attempt=1,
        agent_name="clerk",
        engine_type="claude_cli",
        action="act",
        approval_id=None,
        digest="0" * 64,
        rules_version=f"{'a' * 64}/1",
        policy_version=None,
        task_run_id=None,
        rehearsal=False,
        input_summary="Reads nothing.",
        token_cost_estimate=_CEILING,
        started_at=utc_now(),
    )


@dataclass(frozen=True)
class _Work:
    """What eight of the writers do."""

    way: _Way
    org_id: UUID
    run_ids: Sequence[UUID]
    distance_ms: float


def _write(work: _Work, start: Barrier, made: "Queue[int]") -> None:
    """Be eight of the writers, from a common start."""
    if work.distance_ms:
        event.listen(Engine, "before_cursor_execute", lambda *_: time.sleep(work.distance_ms / 1000))
        event.listen(Engine, "commit", lambda *_: time.sleep(work.distance_ms / 1000))
    start.wait(_START_SECONDS)
    began = time.monotonic()

    def calls_of(run_id: UUID) -> int:
        number = 0
        while time.monotonic() < began + _SECONDS and work.way.call(_begin(work.org_id, run_id, f"s{number}")):
            number += 1
        return number

    with ThreadPoolExecutor(_THREADS) as pool:
        made.put(sum(pool.map(calls_of, work.run_ids)))


def _calls_made(way: _Way, org_id: UUID, distance_ms: float = 0.0) -> int:
    run_ids = [add_run(org_id) for _ in range(_PROCESSES * _THREADS)]
    context = multiprocessing.get_context("spawn")
    made: Queue[int] = context.Queue()
    start = context.Barrier(_PROCESSES)
    writers = [
        context.Process(target=_write, args=(_Work(way, org_id, run_ids[first::_PROCESSES], distance_ms), start, made))
        for first in range(_PROCESSES)
    ]
    for writer in writers:
        writer.start()
    total = sum(made.get(timeout=300) for _ in writers)
    for writer in writers:
        writer.join()
    return total


@pytest.fixture
def org(short_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UUID]:
    cluster = Cluster.at(short_folder / "durable")
    cluster.start()
    database.upgrade(cluster.url())
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        amounts = ", ".join(f"{name}_usd numeric(18, 8)" for name in ("limit", "reserved", "spent"))
        connection.execute(f"CREATE TABLE naive_budget ({amounts})")
        connection.execute("INSERT INTO naive_budget VALUES (1000000, 0, 0)")
        connection.execute("GRANT ALL ON naive_budget TO maos_app")
    monkeypatch.setenv("MAOS_DATABASE_URL", cluster.url())
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))
    ensure_demo_organization()
    with system_session() as session:
        found = find_organization("demo", session=session)
    assert found is not None
    yield found.id
    maos_session._engine.cache_clear()
    cluster.destroy()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("distance_ms", _DISTANCES_MS)
def test_what_a_budget_lets_through(org: UUID, distance_ms: float) -> None:
    naive = max(1, _calls_made(_OneRow(), org, distance_ms))
    budget = add_budget(org, "1000000")
    ours = _calls_made(_Shares(), org, distance_ms)

    print(f"\n{_PROCESSES * _THREADS} writers, one budget, {distance_ms:g} ms away, {_SECONDS:g} s each:")
    print(f"  one row:   {naive / _SECONDS:7.0f} calls a second")
    print(f"  in shares: {ours / _SECONDS:7.0f} calls a second, {ours / naive:.1f} times as many")
    assert standing(budget).reserved == 0
    assert standing(budget).spent == ours * _COST


@pytest.mark.timeout(600)
def test_a_budget_in_shares_is_used_to_the_last_call_and_no_further(org: UUID) -> None:
    budget, way = add_budget(org, "3.03"), _Shares()
    made = _calls_made(way, org)
    # A writer ends when its call does not fit beside those under way: the rest is for one alone.
    run_id, alone = add_run(org), 0
    while way.call(_begin(org, run_id, f"s{alone}")):
        alone += 1
    now = standing(budget)

    print(
        f"\n3.03 USD, calls of {_COST} USD that could cost {_CEILING}: {made + alone} calls, {now.left:f} USD are left"
    )
    assert now.reserved == 0
    assert now.spent == (made + alone) * _COST
    assert 0 <= now.left < _CEILING
