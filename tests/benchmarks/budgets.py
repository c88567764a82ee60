"""How many calls an organisation's one budget lets through a second: `make bench-budgets` prints it.

The naive way keeps one row for the budget and locks it from the reservation to the commit, as most would write it. Both
ways write the same invocations and entries through the same sessions, from 32 writers, on a PostgreSQL that flushes
every commit to its disk, as in production.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import Session

from deployments.embedded.postgres import Cluster
from maos.errors import BudgetExceeded
from sql import budgets, database
from sql.demo import ensure_demo_organization
from sql.organizations import find_organization
from sql.session import org_session, system_session
from sql.tables import AgentInvocation, UsageEntry
from tests.budgets import add_budget, standing
from tests.rows import add_run, invocation

_PROCESSES, _THREADS = 4, 8
_SECONDS = 10.0
_CEILING, _COST = Decimal("0.05"), Decimal("0.02")

Reserve = Callable[[AgentInvocation, Session], None]
Settle = Callable[[AgentInvocation, Session], None]


class _Way:
    """A way of keeping a budget."""

    def reserve(self, row: AgentInvocation, session: Session) -> None:
        budgets.reserve(row, session=session)

    def settle(self, row: AgentInvocation, session: Session) -> None:
        budgets.settle(row, session=session)


class _Naive(_Way):
    """One row, locked."""

    def reserve(self, row: AgentInvocation, session: Session) -> None:
        limit, taken = session.execute(
            text("SELECT limit_usd, reserved_usd + spent_usd FROM naive_budgets FOR UPDATE")
        ).one()
        if row.token_cost_estimate > limit - taken:
            raise BudgetExceeded(row.step_id, "org", f"{row.token_cost_estimate}", f"{limit - taken}", "usd", "")
        session.execute(text("UPDATE naive_budgets SET reserved_usd = reserved_usd + :n"), {"n": _CEILING})
        session.add(_entry(row, "reserve", row.token_cost_estimate))

    def settle(self, row: AgentInvocation, session: Session) -> None:
        session.execute(
            text("UPDATE naive_budgets SET reserved_usd = reserved_usd - :r, spent_usd = spent_usd + :c"),
            {"r": row.token_cost_estimate, "c": row.cost_usd},
        )
        session.add(_entry(row, "settle", row.cost_usd))


def _entry(row: AgentInvocation, kind: str, amount: Decimal) -> UsageEntry:
    return UsageEntry(
        org_id=row.org_id, run_id=row.run_id, invocation_id=row.id, kind=kind, amount_usd=amount
    )


def _calls_until(deadline: float, way: _Way, org_id: UUID, run_id: UUID) -> int:
    """Make calls one after another; return how many."""
    made = 0
    while time.time() < deadline:
        row = invocation(org_id, run_id, str(_CEILING), f"s{time.perf_counter_ns()}")
        try:
            with org_session(org_id) as session:
                session.add(row)
                session.flush()
                way.reserve(row, session)
        except BudgetExceeded:
            break
        with org_session(org_id) as session:
            row.status, row.output, row.cost_usd = "completed", {}, _COST
            session.add(row)
            session.flush()
            way.settle(row, session)
        made += 1
    return made


def _work(way: _Way, org_id: UUID, run_ids: list[UUID], deadline: float, made: "multiprocessing.Queue[int]") -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        counts = pool.map(lambda run_id: _calls_until(deadline, way, org_id, run_id), run_ids)
        made.put(sum(counts))


def _calls_a_second(way: _Way, org_id: UUID) -> tuple[float, int]:
    """Let all writers work for a while; return calls a second, and how many there were."""
    run_ids = [add_run(org_id) for _ in range(_PROCESSES * _THREADS)]
    context = multiprocessing.get_context("spawn")
    made = context.Queue()
    began = time.time() + 6.0
    deadline = began + _SECONDS
    workers = [
        context.Process(target=_start, args=(way, org_id, run_ids[n::_PROCESSES], began, deadline, made))
        for n in range(_PROCESSES)
    ]
    for worker in workers:
        worker.start()
    count = sum(made.get(timeout=120) for _ in workers)
    seconds = time.time() - began
    for worker in workers:
        worker.join()
    return count / seconds, count


def _start(
    way: _Way,
    org_id: UUID,
    run_ids: list[UUID],
    began: float,
    deadline: float,
    made: "multiprocessing.Queue[int]",
) -> None:
    time.sleep(max(0.0, began - time.time()))
    _work(way, org_id, run_ids, deadline, made)


@pytest.fixture
def org(tmp_path_factory: pytest.TempPathFactory, short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UUID]:
    with _durable(short_folder / "durable") as cluster:
        database.upgrade(cluster.url())
        monkeypatch.setenv("MAOS_DATABASE_URL", cluster.url())
        monkeypatch.setenv("MAOS_HOME", str(tmp_path_factory.mktemp("maos")))
        ensure_demo_organization()
        with system_session() as session:
            found = find_organization("demo", session=session)
        assert found is not None
        yield found.id


@contextmanager
def _durable(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster.at(folder)
    cluster.start()
    try:
        import psycopg

        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE naive_budgets (limit_usd numeric(18, 8), reserved_usd numeric(18, 8), spent_usd numeric(18, 8))")
        yield cluster
    finally:
        cluster.destroy()
