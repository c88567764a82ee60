"""A ledger of millions of invocations, made by the database itself."""

import os
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from sql.organizations import ensure_organization
from sql.session import system_session
from tests.rows import add_run

ORGANISATIONS = 10
RARE_ACTION = "publish"
_STEPS = 10
_NAMES: dict[str, object] = {"steps": _STEPS, "rare": RARE_ACTION}
_AT_ONCE = 200_000
# Rows, their indexes, and the files that building the indexes takes.
_BYTES_EACH = 2500
_SECONDARY = """
SELECT i.indexname, i.indexdef FROM pg_indexes i
WHERE i.tablename = %s AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)
"""

_RUNS = """
INSERT INTO orchestrator_runs (id, org_id, title, initiator_type, initiator_id, entrypoint, origin_type, plan,
    plan_digest, rules_digest, code_version, prompt_inputs, autonomy, rehearsal, status, error_summary, started_at,
    completed_at)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, (%(orgs)s::uuid[])[1 + n %% %(count)s], t.title,
    t.initiator_type, t.initiator_id,
    CASE WHEN spread < 960 THEN 'generate_report' WHEN spread < 999 THEN 'run_workflow' ELSE 'create_image' END,
    t.origin_type, t.plan, t.plan_digest, t.rules_digest, t.code_version, '{"request": "a report"}', t.autonomy, false,
    CASE WHEN spread %% 100 < 2 THEN 'failed' WHEN spread %% 100 < 3 THEN 'cancelled' ELSE 'completed' END, NULL,
    now() - (1 - n::float / %(runs)s) * interval '365 days', now()
FROM orchestrator_runs t, generate_series(1, %(runs)s) n, abs(hashint8(n) %% 1000) spread WHERE t.id = %(run)s
"""
_INVOCATIONS = """
INSERT INTO agent_invocations (id, org_id, run_id, step_id, attempt, agent_name, engine_type, action, rehearsal,
    input_summary, output_summary, output, status, error_kind, error_summary, cost_usd, started_at, completed_at)
SELECT ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
    (%(orgs)s::uuid[])[1 + (n / %(steps)s) %% %(count)s],
    ('00000000-0000-4000-8000-' || lpad(to_hex(n / %(steps)s), 12, '0'))::uuid, 's' || n %% %(steps)s, 1, 'clerk',
    CASE WHEN engine < 700 THEN 'internal_service' WHEN engine < 950 THEN 'claude_cli' WHEN engine < 999
        THEN 'deep_agent' ELSE 'gemini_image' END,
    CASE WHEN n %% 100003 = 0 THEN %(rare)s ELSE 'action_' || engine %% 20 END, false,
    'Reads the orders of the third quarter.', 'Wrote a narrative of three paragraphs.',
    CASE WHEN spread >= 30 THEN '{"text": "a narrative of three paragraphs"}'::jsonb END,
    CASE WHEN spread >= 30 THEN 'completed' WHEN spread >= 10 THEN 'failed' WHEN spread >= 1 THEN 'skipped'
        ELSE 'in_doubt' END,
    CASE WHEN spread BETWEEN 10 AND 29 THEN 'timed_out' END, CASE WHEN spread < 30 THEN 'It took too long.' END,
    0.0123, now() - (1 - n::float / %(rows)s) * interval '365 days', now()
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n, abs(hashint8(n) %% 1000) spread,
    abs(hashint8(n + 7) %% 1000) engine
"""


def fill_ledger(address: str, org_id: UUID, rows: int, folder: Path) -> list[UUID]:
    """Write so many invocations of several organisations, and their runs; return the organisations.

    Indexes are built at the end, as they would be after a restore; foreign keys are not looked at.
    """
    if (free := shutil.disk_usage(folder).free) < rows * _BYTES_EACH:
        pytest.skip(f"{rows} invocations need about {rows * _BYTES_EACH >> 30} GiB; {free >> 30} are free")
    with system_session() as session:
        orgs = [ensure_organization(f"org-{n}", f"Org {n}", session=session) for n in range(ORGANISATIONS)]
    begun = time.perf_counter()
    with _loading(address) as connection:
        indexes = _drop_indexes(connection)
        common = {"orgs": orgs, "count": len(orgs), "run": add_run(org_id), "runs": rows // _STEPS, "rows": rows}
        connection.execute(_RUNS, common)
        _all_at_once(address, [(_INVOCATIONS, {**common, **_NAMES, **each}) for each in _stretches(rows)])
        _all_at_once(address, [(definition, {}) for definition in indexes])
        connection.execute("VACUUM ANALYZE orchestrator_runs, agent_invocations")
    print(f"\n{rows} invocations of {len(orgs)} organisations written in {time.perf_counter() - begun:.0f} s")
    return orgs


def _loading(address: str) -> psycopg.Connection:
    settings = "-csession_replication_role=replica -cmaintenance_work_mem=1GB"
    return psycopg.connect(address, autocommit=True, options=settings)


def _drop_indexes(connection: psycopg.Connection) -> list[str]:
    """Drop what is no constraint; return how each is made again."""
    tables = ("orchestrator_runs", "agent_invocations")
    indexes = [each for table in tables for each in connection.execute(_SECONDARY, (table,)).fetchall()]
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}".encode())
    return [definition for _, definition in indexes]


def _stretches(rows: int) -> list[dict[str, object]]:
    # Each beginning at a run's first step; each run has all of its own.
    return [
        {"first": first, "last": min(first + _AT_ONCE, rows + _STEPS) - 1} for first in range(_STEPS, rows, _AT_ONCE)
    ]


def _all_at_once(address: str, statements: Sequence[tuple[str, dict[str, object]]]) -> None:
    """Execute statements on as many connections as there are processors: each keeps one busy."""

    def execute(statement: str, values: dict[str, object]) -> None:
        with _loading(address) as connection:
            connection.execute(statement.encode(), values)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(execute, *each) for each in statements]:
            done.result()
