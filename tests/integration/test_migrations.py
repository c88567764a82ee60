"""Migrations bring a database to the shape that the table classes state."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.rows import dict_row
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import sql.agent_tables
import sql.approval_tables
import sql.audit_tables
import sql.billing_tables
import sql.budget_tables
import sql.learning_tables
import sql.mail_tables
import sql.notice_tables
import sql.organization_tables
import sql.policy_tables
import sql.retention_tables
import sql.reviewer_tables
import sql.rules_tables
import sql.tables
import sql.workflow_tables  # noqa: F401 - registers every table in the metadata
from deployments.embedded.postgres import Cluster
from maos.audit import FIRST_COLUMNS, GENESIS_HASH, AuditLink, ChainReader, document_of, link_hash
from maos.budgets import EVER, BudgetUnit, Hold
from sql.database import sqlalchemy_address, upgrade

_IN_SQL_FILES = {"remove_index", "add_index", "remove_constraint", "add_constraint", "remove_fk", "add_fk"}


def test_upgrading_twice_is_harmless(database: str) -> None:
    upgrade(database)


def test_the_table_classes_state_the_columns_of_the_database(database: str) -> None:
    engine = create_engine(sqlalchemy_address(database))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_object": lambda _o, name, *_: "audit_log_" not in (name or "")},
        )
        differences = compare_metadata(context, SQLModel.metadata)
    engine.dispose()

    assert [difference for difference in differences if difference[0] not in _IN_SQL_FILES] == []


def _database_at(revision: str, name: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a database as it was at an earlier revision; return its address."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    address, to_revision = cluster.url(name), command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: to_revision(config, revision))
        upgrade(address)
    return address


def test_entries_from_before_there_were_corrections_stay_as_they_are(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _database_at("0002", "maos_before_corrections", cluster, monkeypatch)
    with psycopg.connect(address) as connection:
        # The run and the call that they belong to are of no interest here.
        connection.execute("SET session_replication_role = replica")
        for kind in ("reserve", "settle"):
            connection.execute(
                "INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, amount_usd, recorded_at) "
                "VALUES (%(id)s, %(id)s, %(id)s, %(kind)s, 0.5, now())",
                {"id": uuid4(), "kind": kind},
            )

    upgrade(address)

    with psycopg.connect(address) as connection:
        kept = connection.execute("SELECT kind, number, amount_usd, price_list FROM usage_entries ORDER BY kind")
        assert [(row[0], row[1], float(row[2]), row[3]) for row in kept] == [
            ("reserve", 1, 0.5, None),
            ("settle", 1, 0.5, None),
        ]


def test_an_audit_chain_from_before_rows_could_belong_to_no_run_still_holds(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _database_at("0003", "maos_before_rules", cluster, monkeypatch)
    link = AuditLink(
        event="run.opened",
        actor="author@demo.example",
        run_id=uuid4(),
        summary="opened",
        org_id=uuid4(),
        sequence=1,
        recorded_at=datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC),
        previous_hash=GENESIS_HASH,
    )
    # Columns that came later are not there yet, and are not in the hash.
    fields = link.model_dump(include=set(FIRST_COLUMNS)) | {"row_hash": link_hash(link)}
    names = ", ".join(fields)
    places = ", ".join(f"%({name})s" for name in fields)
    with psycopg.connect(address) as connection:
        # The run and the organisation that it belongs to are of no interest here.
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"INSERT INTO agent_action_audit_log ({names}) VALUES ({places})".encode(), fields)

    upgrade(address)

    with psycopg.connect(address, row_factory=dict_row) as connection:
        (row,) = connection.execute("SELECT * FROM agent_action_audit_log").fetchall()
    assert ChainReader().read(document_of(AuditLink.model_validate(row)), row["row_hash"]) is None


def test_what_was_reserved_before_there_were_shares_is_still_settled(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _database_at("0006", "maos_before_shares", cluster, monkeypatch)
    ids = {name: uuid4() for name in ("org", "run", "call", "budget")}
    with psycopg.connect(address) as connection:
        # The run and the call themselves are of no interest here.
        connection.execute("SET session_replication_role = replica")
        connection.execute("INSERT INTO organizations (id, slug, name) VALUES (%(org)s, 'old', 'Old')", ids)
        connection.execute(
            "INSERT INTO budgets (id, org_id, scope, scope_id, period, limit_usd, reserved_usd, spent_usd) "
            "VALUES (%(budget)s, %(org)s, 'run', %(run)s::text, 'total', 2, 0.5, 0.25)",
            ids,
        )
        connection.execute(
            "INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, amount_usd, recorded_at) "
            "VALUES (%(org)s, %(run)s, %(call)s, 'reserve', 0.5, now())",
            ids,
        )

    upgrade(address)

    with psycopg.connect(address) as connection:
        standing = "SELECT limit_amount, reserved, spent, remaining FROM budget_standings"
        assert [tuple(map(float, row)) for row in connection.execute(standing)] == [(2, 0.5, 0.25, 1.25)]
        (held,) = connection.execute("SELECT holds FROM usage_entries").fetchone() or (None,)
    assert [Hold.model_validate(hold) for hold in held or ()] == [
        Hold(budget=str(ids["budget"]), unit=BudgetUnit.USD, period=EVER, amount=Decimal("0.5"))
    ]


def test_entries_from_before_there_was_billing_are_billed_in_their_own_month(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _database_at("0019", "maos_before_billing", cluster, monkeypatch)
    with psycopg.connect(address) as connection:
        # The run and the organisation that they belong to are of no interest here.
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO agent_invocations (id, org_id, run_id, step_id, attempt, agent_name, engine_type, action, "
            "rehearsal, input_summary, status, output, started_at, cost_usd, token_cost_estimate, input_tokens) "
            "SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), step, 1, 'clerk', 'claude_cli', 'act', "
            "false, '', 'completed', '{}', now(), cost, 1, 30 FROM (VALUES ('priced', 0.5), ('lost', 1)) c (step, cost)"
        )
        for kind, number, amount, day in (
            ("reserve", 1, 1, "2026-05-31 23:59+00"),
            ("settle", 1, None, "2026-05-31 23:59:59+00"),
            ("correct", 1, -0.125, "2026-05-31 23:59:59+00"),
            ("correct", 2, 0.25, "2026-06-01 00:00+00"),
        ):
            connection.execute(
                "INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, number, amount_usd, price_list, "
                "recorded_at) SELECT org_id, run_id, id, %(kind)s::text, %(number)s, "
                "coalesce(%(amount)s::numeric, cost_usd), CASE %(kind)s::text WHEN 'correct' THEN 'x' END, "
                "%(day)s::timestamptz FROM agent_invocations",
                {"kind": kind, "number": number, "amount": amount, "day": day},
            )

    upgrade(address)

    with psycopg.connect(address) as connection:
        billed = connection.execute(
            "SELECT i.step_id, u.kind, to_char(u.billing_month, 'YYYY-MM'), to_char(u.corrects_month, 'YYYY-MM'), "
            "u.engine, u.action, u.unit, u.quantity FROM usage_entries u JOIN agent_invocations i "
            "ON i.id = u.invocation_id WHERE u.kind <> 'reserve' ORDER BY i.step_id DESC, u.recorded_at, u.kind DESC"
        ).fetchall()
        forced = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relforcerowsecurity AND relname = ANY (%s)",
            [["usage_entries", "agent_invocations"]],
        ).fetchall()
    assert [row[1:] for row in billed if row[0] == "priced"] == [
        ("settle", "2026-05", None, "writer", "act", "token", 30),
        ("correct", "2026-05", None, "writer", "act", "token", 0),
        ("correct", "2026-06", "2026-05", "writer", "act", "correction", 1),
    ]
    assert [row[6:] for row in billed if row[0] == "lost"] == [("ceiling", 1), ("ceiling", 0), ("correction", 1)]
    assert forced == [(2,)]
