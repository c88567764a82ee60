"""How long a month of a million entries takes, in how much memory: `make bench-billing` prints it.

Nothing is asserted but that what comes out adds up.
"""

import os
import resource
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import psycopg
import pytest

from maos.billing_months import BillingMonth
from tasks.billing import check_billing, close_month, statement_of
from tasks.billing_export import ExportFormat, entries_bytes, entries_table, write_parquet
from tasks.files import write_whole
from tests.rows import add_run

T = TypeVar("T")
_ENTRIES = int(os.environ.get("BILLING_ENTRIES", "1000000"))
_AT_ONCE = 20_000
_MAY = BillingMonth.read("2026-05")

_CALLS = """
    INSERT INTO agent_invocations (id, org_id, run_id, step_id, attempt, agent_name, engine_type, action, rehearsal,
        input_summary, output_summary, status, output, started_at, completed_at, input_tokens, output_tokens,
        cost_usd, token_cost_estimate)
    SELECT gen_random_uuid(), %(org)s, %(run)s, '{step}' || n, 1, 'clerk',
        (ARRAY['claude_cli', 'deep_agent', 'gemini_image'])[1 + n %% 3], 'action_' || n %% 20, false,
        'Reads the orders of the third quarter and writes a paragraph about them.', 'Wrote a paragraph.',
        'completed', '{{}}', moment, moment, 1000 + n %% 977, 100 + n %% 89, (n %% 100000 + 1) / 100000000.0, 1
    FROM generate_series(1, %(count)s) n,
        LATERAL (SELECT '2026-05-01 00:00+00'::timestamptz + n * interval '31 days' / (%(count)s + 1) AS moment) t
"""
_ENTRIES_OF_CALLS = """
    INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, amount_usd, recorded_at, billing_month, engine,
        action, unit, quantity)
    SELECT i.org_id, i.run_id, i.id, kind, CASE kind WHEN 'settle' THEN i.cost_usd ELSE 1 END, i.started_at,
        CASE kind WHEN 'settle' THEN '2026-05-01'::date END,
        CASE kind WHEN 'settle' THEN l.label END, CASE kind WHEN 'settle' THEN i.action END,
        CASE kind WHEN 'settle' THEN billing_unit(l.label, i.cost_usd, 1, i.input_tokens) END,
        CASE kind WHEN 'settle' THEN CASE i.engine_type WHEN 'gemini_image' THEN 1
            ELSE i.input_tokens + i.output_tokens END END
    FROM agent_invocations i JOIN engine_labels l USING (engine_type), unnest(ARRAY['reserve', 'settle']) kind
    WHERE i.step_id LIKE '{step}%%'
"""


def _generate(address: str, given: dict[str, object]) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        # Without triggers and references: only so is a million made in a minute.
        connection.execute("SET session_replication_role = replica")
        connection.execute(_CALLS.format(step="s").encode(), given)
        connection.execute(_ENTRIES_OF_CALLS.format(step="s").encode())
        connection.execute("VACUUM ANALYZE agent_invocations, usage_entries")


def _cost_of_the_trigger(address: str, given: dict[str, object]) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        took = {}
        for step, role in (("bare", "replica"), ("whole", "origin")):
            connection.execute("SET session_replication_role = replica")
            connection.execute(_CALLS.format(step=step).encode(), given | {"count": _AT_ONCE})
            connection.execute(f"SET session_replication_role = {role}".encode())
            started = time.perf_counter()
            connection.execute(_ENTRIES_OF_CALLS.format(step=step).encode())
            took[step] = 1_000_000 * (time.perf_counter() - started) / _AT_ONCE
    print("\nadding reserve and settle of a call, in microseconds:")
    print(f"  {took['bare']:.0f} without trigger and references, {took['whole']:.0f} with both")


def _timed(what: str, work: Callable[[], T]) -> T:
    started = time.perf_counter()
    done = work()
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{what}: {took:.1f} s; peak memory of this process so far {peak:.0f} MB")
    return done


@pytest.mark.timeout(3600)
def test_how_long_a_month_takes(database: str, org_id: UUID, tmp_path: Path) -> None:
    given: dict[str, object] = {"org": org_id, "run": add_run(org_id, rehearsal=False), "count": _ENTRIES}
    _timed(f"generated {_ENTRIES} calls with their entries", lambda: _generate(database, given))

    opened = _timed("statement of the open month", lambda: statement_of(org_id, _MAY))
    _timed("the same again", lambda: statement_of(org_id, _MAY))
    (closed,) = _timed("checked, closed and frozen", lambda: close_month(org_id, _MAY))
    kept = _timed("statement of the closed month", lambda: statement_of(org_id, _MAY))
    for format_ in (ExportFormat.CSV, ExportFormat.JSON):
        file = tmp_path / f"entries.{format_}"
        _timed(f"entries as {format_}", lambda f=format_, to=file: write_whole(to, entries_bytes(org_id, _MAY, f)))
    parquet = tmp_path / "entries.parquet"
    written = _timed("entries as parquet", lambda: write_parquet(entries_table(org_id, _MAY), parquet))
    _timed("check of everything", check_billing)

    assert kept == closed
    assert (
        opened.total_usd
        == closed.total_usd
        == sum((Decimal(n % 100_000 + 1) for n in range(1, _ENTRIES + 1)), Decimal(0)) / 10**8
    )
    assert (opened.entries, written) == (_ENTRIES, _ENTRIES)
    _cost_of_the_trigger(database, given)
