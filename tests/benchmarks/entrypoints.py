"""How fast the entrypoints read: `make bench-entrypoints` prints it; only the figures' equality is asserted."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest

from maos.datasets import choose_shape
from maos.mail_reading import read_mail
from maos.metrics import DatasetProfile
from maos.report_parameters import AggregateParameters, ProfileParameters
from maos.settings import load_settings
from tasks.datasets import inspect_dataset
from tasks.services.aggregate import aggregate_metrics
from tasks.services.profile import profile_data
from tasks.services.registry import RunFacts, ServiceCall
from tests.mail_corpus import CORPUS

_ROWS = int(os.environ.get("ROWS", "10000000"))
_SECONDS, _GIGABYTES, _TIMES = 60, 1.5, 1.3
_MEASURES, _DIMENSIONS, _PERIOD = ("revenue", "quantity"), ("region", "product", "channel"), "order_date"
_NAMES = ("order_id", _PERIOD, *_DIMENSIONS, "quantity", "unit_price", "discount_pct", "revenue")
# Orders like those of examples/generate_report: some without a region, one of a thousand repeated.
_ORDERS = f"""
WITH numbers AS (SELECT range - (range % 1000 = 999)::INT AS i FROM range({_ROWS})),
drawn AS (
  SELECT i, (hash(i) % 5)::INT AS region, (hash(i + 1) % 8)::INT AS product, (hash(i + 2) % 4)::INT AS channel,
    1 + (hash(i + 3) % 89)::INT AS quantity, 5 * (hash(i + 4) % 3)::INT AS discount FROM numbers
),
priced AS (
  SELECT *, [21.90, 9.80, 23.50, 7.40, 28.80, 13.60, 10.50, 64.00][1 + product] AS price FROM drawn
)
SELECT 'SO-' || (10000000 + i) AS order_id, DATE '2024-01-01' + (i * 730 // {_ROWS})::INT AS order_date,
  CASE WHEN i % 97 > 0 THEN ['North', 'South', 'West', 'East', 'Central'][1 + region] END AS region,
  ['Espresso beans 1 kg', 'Filter coffee 500 g', 'Decaf beans 1 kg', 'Organic blend 250 g', 'Cold brew, 12 bottles',
   'Cocoa powder 1 kg', 'Oat drink, 6 litres', 'Barista kit'][1 + product] AS product,
  ['Online shop', 'Field sales', 'Phone', 'Partner'][1 + channel] AS channel, quantity, price AS unit_price,
  discount AS discount_pct, (quantity * price * (100 - discount) / 100)::DECIMAL(12, 2) AS revenue
FROM priced
"""
_RUN = RunFacts(
    run_id=UUID(int=7),
    org="demo",
    title="Orders",
    initiator="author@demo.example",
    started_at=datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
    rehearsal=True,
    cost_usd=Decimal("0"),
)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_how_fast_a_data_set_becomes_figures(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"orders.{kind}"
    duckdb.execute(f"COPY ({_ORDERS}) TO '{path}'")

    ours, plain = (_in_a_process_of_its_own(who, path) for who in ("maos", "plain"))

    print(f"\n{kind}, {_ROWS:,} rows, {path.stat().st_size / 1e6:,.0f} MB")
    for what in ("inspect", "profile", "aggregate"):
        _compare(what, ours[what], plain[what])
    seconds, gigabytes = sum(ours[what][0] for what in ("inspect", "profile", "aggregate")), ours["peak"] / 1e6
    print(f"  in all {seconds:.1f} s {_verdict(seconds, _SECONDS)} s; peak {gigabytes:.2f} GB", end=" ")
    print(f"{_verdict(gigabytes, _GIGABYTES)} GB; plain DuckDB {plain['peak'] / 1e6:.2f} GB")
    assert ours["figures"] == plain["figures"]


def _compare(what: str, ours: list[float], plain: list[float]) -> None:
    (took, busy), (plain_took, plain_busy) = ours, plain
    verdict = "" if what == "inspect" else _verdict(took / plain_took, _TIMES)
    print(
        f"  {what}: {took:.1f} s, {_ROWS / took:,.0f} rows/s;"
        f" plain DuckDB {plain_took:.1f} s, {_ROWS / plain_took:,.0f} rows/s:"
        f" {took / plain_took:.2f} times {verdict}; {busy / plain_busy:.2f} times the processor"
    )


def _verdict(value: float, most: float) -> str:
    return f"{'PASS' if value <= most else 'MISS'} of {most:g}"


def _in_a_process_of_its_own(who: str, path: Path) -> dict[str, Any]:
    home = {"MAOS_HOME": str(path.parent / "home"), "MAOS_DATASET_ROOTS": json.dumps([str(path.parent)])}
    command = [sys.executable, "-m", "tests.benchmarks.entrypoints", who, str(path)]
    done = subprocess.run(command, env=os.environ | home, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _timed(into: dict[str, Any], what: str, work: Callable[[], Any]) -> Any:
    started, busy = time.perf_counter(), time.process_time()
    done = work()
    into[what] = [time.perf_counter() - started, time.process_time() - busy]
    return done


def _by_maos(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    facts = _timed(found, "inspect", lambda: inspect_dataset(path.name, org="demo", settings=load_settings()))
    named = {"dataset": path.name, "digest": facts.sha256}
    shape = choose_shape(facts, measures=_MEASURES, dimensions=_DIMENSIONS, period_column=_PERIOD)
    asked = AggregateParameters(**named, **shape.model_dump())
    profile = _timed(
        found,
        "profile",
        lambda: profile_data(ServiceCall(ProfileParameters(**named), {}, path.parent, _RUN, "bench", 60.0)),
    )
    call = ServiceCall(asked, {"profile": profile.output}, path.parent, _RUN, "bench", 60.0)
    metrics = _timed(found, "aggregate", lambda: aggregate_metrics(call)).output
    read = DatasetProfile.model_validate(profile.output)
    distinct = [column.distinct for column in read.facts.columns]
    found["figures"] = [distinct, read.duplicate_rows, metrics["rows"], metrics["totals"][0]["sum"]]
    return found


def _by_plain_duckdb(path: Path) -> dict[str, Any]:
    """Ask the same questions as an analyst would write them, with the same threads and memory."""
    spill = str(path.parent / "spill")
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "1GB", "temp_directory": spill})
    source = f"read_csv('{path}')" if path.suffix == ".csv" else f"read_parquet('{path}')"

    def ask(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    def facts() -> list[int]:
        terms = ", ".join(f"count({name}), count(DISTINCT {name}), min({name}), max({name})" for name in _NAMES)
        rows, *counts = ask(f"SELECT count(*), {terms} FROM {source}")[0]
        return [rows, *counts[1::4]]

    def profile() -> tuple[list[int], int]:
        rows, *distinct = facts()
        return distinct, rows - ask(f"SELECT count(*) FROM (SELECT DISTINCT * FROM {source})")[0][0]

    def aggregate() -> list[Any]:
        ask(f"CREATE TABLE orders AS SELECT DISTINCT * FROM {source}")
        sums = ", ".join(f"sum({name})" for name in _MEASURES)
        limits = ", ".join(f"count({name}), min({name}), max({name})" for name in _MEASURES)
        rows, total = ask(f"SELECT count(*), {sums}, {limits} FROM orders")[0][:2]
        for name in _DIMENSIONS:
            ask(f"SELECT {name}, count(*), {sums} FROM orders GROUP BY {name} ORDER BY 3 DESC LIMIT 20")
        ask(f"SELECT min({_PERIOD}), max({_PERIOD}), count(DISTINCT {_PERIOD}) FROM orders")
        month = f"date_trunc('month', {_PERIOD})"
        ask(f"SELECT {month} AS month, count(*), {sums} FROM orders GROUP BY month ORDER BY month")
        return [rows, total]

    found: dict[str, Any] = {}
    _timed(found, "inspect", facts)
    distinct, repeated = _timed(found, "profile", profile)
    rows, total = _timed(found, "aggregate", aggregate)
    # As numbers with a point they are added up less exactly than ours are.
    found["figures"] = [distinct, repeated, rows, f"{round(total, 2):.2f}".rstrip("0").rstrip(".")]
    return found


def _bare(content: bytes) -> None:
    message = message_from_bytes(content, policy=default)
    for part in message.walk():
        if part.get_content_maintype() == "text":
            part.get_content()


def _readable_barely(content: bytes) -> bool:
    try:
        _bare(content)
    except Exception:  # noqa: BLE001 - the library raises whatever it likes
        return False
    return True


def test_how_fast_messages_are_read() -> None:
    messages = [ugly.content for ugly in CORPUS.values() if len(ugly.content) < 100_000]
    messages = [content for content in messages if _readable_barely(content)]
    took = {name: _seconds_for(read, messages) for name, read in (("maos", read_mail), ("library", _bare))}

    print(f"\n{len(messages)} messages of the corpus that the bare standard library can read, of {len(CORPUS)}")
    for name, seconds in took.items():
        print(f"  {name}: {len(messages) / seconds:,.0f} messages/s")
    print(f"  {took['maos'] / took['library']:.2f} times the bare standard library")


def _seconds_for(read: Callable[[bytes], object], messages: list[bytes], rounds: int = 20) -> float:
    started = time.process_time()
    for _ in range(rounds):
        for content in messages:
            read(content)
    return (time.process_time() - started) / rounds


if __name__ == "__main__":
    work = {"maos": _by_maos, "plain": _by_plain_duckdb}[sys.argv[1]]
    measured = work(Path(sys.argv[2]))
    print(json.dumps(measured | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
