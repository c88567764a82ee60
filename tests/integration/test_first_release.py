"""A database of the first release, with data in every table, becomes one of this release and loses nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from alembic import command
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine, text

from deployments.embedded.postgres import Cluster
from maos.audit import FIRST_COLUMNS, GENESIS_HASH, AuditLink, link_hash
from maos.billing_months import BillingMonth
from sql import session as maos_session
from sql.audit import verify_chain
from sql.database import _alembic, sqlalchemy_address, upgrade
from sql.runs import RunFilter, list_runs
from sql.session import system_session
from tasks.billing import statement_of
from tests.rows import PLAN

_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
_ORG, _USER, _RUN, _APPROVAL, _CALL = (UUID(int=number) for number in range(1, 6))
_OF_ORG = {"org_id": _ORG}

# What the first release wrote, in the order of its references.
_ROWS: list[tuple[str, dict[str, object]]] = [
    ("organizations", {"id": _ORG, "slug": "demo", "name": "Demo"}),
    ("users", {"id": _USER, "email": "author@demo.example", "name": "Author"}),
    ("user_organizations", _OF_ORG | {"user_id": _USER, "role": "author"}),
    (
        "orchestrator_runs",
        _OF_ORG
        | {
            "id": _RUN,
            "title": "Report",
            "initiator_type": "user",
            "initiator_id": "author@demo.example",
            "entrypoint": "generate_report",
            "origin_type": "plan",
            "plan": Jsonb(PLAN.model_dump(mode="json")),
            "plan_digest": "a" * 64,
            "rules_digest": "b" * 64,
            "code_version": "0",
            "prompt_inputs": Jsonb({"request": "a report"}),
            "autonomy": "supervised",
            "rehearsal": True,
            "status": "completed",
            "result": Jsonb({"page": "report.html"}),
            "started_at": _AT,
            "completed_at": _AT,
        },
    ),
    (
        "agent_pending_actions",
        _OF_ORG
        | {
            "id": _APPROVAL,
            "run_id": _RUN,
            "step_id": "act",
            "action": "act",
            "engine_type": "internal_service",
            "title": "Act.",
            "preview": "",
            "payload": Jsonb({"step": "act"}),
            "digest": "c" * 64,
            "risk": "high",
            "cost_ceiling_usd": 0,
            "policy": Jsonb({}),
            "initiator_id": "author@demo.example",
            "started_at": _AT,
            "expires_at": datetime(2026, 11, 21, tzinfo=UTC),
            "status": "approved",
            "decided_by": "reviewer@demo.example",
            "decided_via": "form",
            "decided_at": _AT,
        },
    ),
    (
        "agent_action_votes",
        _OF_ORG
        | {
            "approval_id": _APPROVAL,
            "user_id": _USER,
            "decision": "approve",
            "via": "form",
            "identity_verified": False,
            "voted_at": _AT,
        },
    ),
    (
        "agent_invocations",
        _OF_ORG
        | {
            "id": _CALL,
            "run_id": _RUN,
            "step_id": "act",
            "attempt": 1,
            "agent_name": "clerk",
            "engine_type": "internal_service",
            "action": "act",
            "approval_id": _APPROVAL,
            "rehearsal": True,
            "input_summary": "Reads nothing.",
            "output": Jsonb({}),
            "cost_usd": "0.5",
            "status": "completed",
            "started_at": _AT,
            "completed_at": _AT,
        },
    ),
    ("invocation_vendor_details", _OF_ORG | {"invocation_id": _CALL, "model": "a model"}),
    (
        "budgets",
        _OF_ORG | {"scope": "run", "scope_id": str(_RUN), "period": "total", "limit_usd": 1, "spent_usd": "0.5"},
    ),
    (
        "usage_entries",
        _OF_ORG | {"run_id": _RUN, "invocation_id": _CALL, "kind": "settle", "amount_usd": "0.5", "recorded_at": _AT},
    ),
]


def _chain() -> Iterator[tuple[str, dict[str, object]]]:
    previous = GENESIS_HASH
    for sequence in (1, 2):
        link = AuditLink(
            event="step.completed",
            actor="clerk",
            run_id=_RUN,
            summary=f"größer {sequence}",
            org_id=_ORG,
            sequence=sequence,
            recorded_at=_AT,
            previous_hash=previous,
        )
        previous = link_hash(link)
        yield "agent_action_audit_log", link.model_dump(include=set(FIRST_COLUMNS)) | {"row_hash": previous}
    yield "audit_chain_heads", _OF_ORG | {"sequence": 2, "row_hash": previous}


@pytest.fixture(scope="module")
def old_address(cluster: Cluster) -> str:
    """The address of a database as the first release left it."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE maos_first_release")
    address, to_revision = cluster.url("maos_first_release"), command.upgrade
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: to_revision(config, "0001"))
        upgrade(address)
    with psycopg.connect(address) as connection:
        for table, values in [*_ROWS, *_chain()]:
            names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})".encode(), values)
    return address


# What later releases say in other columns, as the first one did.
_BUDGETS_OF_LATER = (
    "SELECT b.*, s.limit_amount AS limit_usd, s.reserved AS reserved_usd, s.spent AS spent_usd "
    "FROM budgets b JOIN budget_standings s ON s.budget_id = b.id"
)


def _contents(address: str) -> dict[str, list[dict[str, object]]]:
    with psycopg.connect(address, row_factory=dict_row) as connection:
        tables = [*dict.fromkeys(table for table, _ in [*_ROWS, *_chain()])]
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2".encode()).fetchall() for table in tables
        }


def test_a_database_of_the_first_release_is_brought_up_and_loses_nothing(
    old_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _contents(old_address)
    assert all(before.values())

    upgrade(old_address)

    after = _contents(old_address)
    with psycopg.connect(old_address, row_factory=dict_row) as connection:
        after["budgets"] = connection.execute(_BUDGETS_OF_LATER).fetchall()
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows, table
    # What later releases read off what earlier ones wrote.
    assert [row["decision"] for row in after["agent_pending_actions"]] == ["approve"]
    monkeypatch.setenv("MAOS_DATABASE_URL", old_address)
    with system_session() as session:
        assert verify_chain(_ORG, session=session) == (2, None)
        assert [(row.id, slug) for row, slug in list_runs(RunFilter(), session=session)] == [(_RUN, "demo")]
    assert statement_of(_ORG, BillingMonth(_AT.date().replace(day=1))).total_usd == Decimal("0.5")
    maos_session._engine.cache_clear()


def test_a_downgrade_is_refused_with_its_reason_and_changes_nothing(database: str) -> None:
    engine = create_engine(sqlalchemy_address(database))
    with engine.connect() as connection:
        before = connection.scalar(text("SELECT version_num FROM alembic_version"))
        with pytest.raises(NotImplementedError, match="cannot be downgraded; restore a backup instead"):
            command.downgrade(_alembic(connection), "-1")
        connection.rollback()
        after = connection.scalar(text("SELECT version_num FROM alembic_version"))
    engine.dispose()

    assert before == after


def test_every_migration_refuses_to_be_undone() -> None:
    folder = Path(__file__).parents[2] / "sql" / "migrations" / "versions"

    for path in folder.glob("*.py"):
        assert 'raise NotImplementedError("the ledger cannot be downgraded' in path.read_text(), path.name
