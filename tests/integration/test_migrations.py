"""Migrations bring a database to the shape that the table classes state."""

from datetime import UTC, datetime
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
import sql.learning_tables
import sql.mail_tables
import sql.notice_tables
import sql.policy_tables
import sql.reviewer_tables
import sql.rules_tables
import sql.tables  # noqa: F401 - registers every table in the metadata
from deployments.embedded.postgres import Cluster
from maos.audit import FIRST_COLUMNS, GENESIS_HASH, AuditLink, ChainReader, document_of, link_hash
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


def test_entries_from_before_there_were_corrections_stay_as_they_are(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE maos_before_corrections")
    address, to_revision = cluster.url("maos_before_corrections"), command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: to_revision(config, "0002"))
        upgrade(address)
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
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE maos_before_rules")
    address, to_revision = cluster.url("maos_before_rules"), command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: to_revision(config, "0003"))
        upgrade(address)
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
