"""The walls between organisations stand in the database."""

from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tests.rows import add_run

_APPEND_ONLY = (
    "agent_action_audit_log",
    "agent_action_votes",
    "approval_likenesses",
    "approval_rollbacks",
    "invocation_vendor_details",
    "organization_policies",
    "organization_rules",
    "usage_entries",
)


def _rows(address: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address) as connection:
        return connection.execute(query).fetchall()


def _tenant_tables(address: str) -> list[str]:
    query = """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    """
    return sorted(str(row[0]) for row in _rows(address, query))


def test_every_tenant_table_has_forced_row_level_security_with_a_check(database: str) -> None:
    walled = _rows(
        database,
        """
        SELECT c.relname FROM pg_class c JOIN pg_policies p ON p.tablename = c.relname AND p.policyname = 'tenant'
        WHERE c.relrowsecurity AND c.relforcerowsecurity AND p.qual LIKE '%org_id = %current_org()%'
          AND p.with_check LIKE '%org_id = %current_org()%' AND 'maos_app' = ANY (p.roles)
        """,
    )

    assert len(_tenant_tables(database)) >= 10
    assert _tenant_tables(database) == sorted(str(row[0]) for row in walled)


def test_references_between_tenant_tables_carry_the_organisation(database: str) -> None:
    lone = _rows(
        database,
        """
        SELECT f.conrelid::regclass::text, f.conname FROM pg_constraint f
        WHERE f.contype = 'f' AND f.conparentid = 0
          AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.confrelid AND a.attname = 'org_id')
          AND f.confrelid <> 'organizations'::regclass
          AND NOT EXISTS (SELECT FROM pg_attribute a
                          WHERE a.attrelid = f.conrelid AND a.attname = 'org_id' AND a.attnum = ANY (f.conkey))
        """,
    )

    assert lone == []


def test_the_application_owns_nothing_and_bypasses_nothing(database: str) -> None:
    roles = _rows(database, "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname LIKE 'maos\\_%'")
    owners = _rows(
        database,
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'",
    )

    assert {name: strong for name, strong in roles if name != "maos_admin"} == {
        "maos_app": False,
        "maos_client": False,
        "maos_owner": False,
        "maos_system": False,
    }
    assert owners == [("maos_owner",)]


@pytest.mark.parametrize("table", _APPEND_ONLY)
@pytest.mark.parametrize("role", ["maos_app", "maos_system"])
def test_history_can_only_be_added_to(database: str, table: str, role: str) -> None:
    granted = _rows(
        database,
        f"SELECT p FROM unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE']) p "
        f"WHERE has_table_privilege('{role}', '{table}', p)",
    )

    assert [row[0] for row in granted] == ["SELECT", "INSERT"]


def test_without_an_organisation_there_are_no_rows(database: str, org_id: UUID) -> None:
    add_run(org_id)
    with psycopg.connect(f"{database}?options=-crole%3Dmaos_app") as connection:
        for table in [*_tenant_tables(database), "organizations", "users", "reviewer_codes"]:
            counted = connection.execute(f"SELECT count(*) FROM {table}").fetchone()

            assert counted == (0,), table


def test_another_organisation_is_not_seen_changed_or_joined(org_id: UUID) -> None:
    run_id = add_run(org_id)
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)

    with org_session(other) as session:
        assert session.scalar(text("SELECT count(*) FROM orchestrator_runs")) == 0
        stolen = session.execute(text("UPDATE orchestrator_runs SET title = 'stolen' RETURNING id")).all()
        assert stolen == []
    attach_budget = text(
        "INSERT INTO budgets (org_id, scope, scope_id, period, unit, limit_amount) "
        "VALUES (:org, 'org', 'x', 'day', 'usd', 1)"
    )
    with org_session(other) as session, pytest.raises(ProgrammingError, match="row-level security"):
        session.execute(attach_budget, {"org": str(org_id)})
    attach_to_run = text(
        "INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, amount_usd, recorded_at) "
        "VALUES (:org, :run, :invocation, 'settle', 1, now())"
    )
    with org_session(other) as session, pytest.raises(IntegrityError, match="foreign key"):
        session.execute(attach_to_run, {"org": str(other), "run": str(run_id), "invocation": str(uuid4())})


def test_a_connection_of_the_pool_forgets_the_organisation_it_served(org_id: UUID) -> None:
    with org_session(org_id) as session:
        served = session.scalar(text("SELECT pg_backend_pid()"))
        assert session.scalar(text("SELECT count(*) FROM organizations")) == 1
        engine = session.get_bind()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == served
        assert connection.scalar(text("SELECT count(*) FROM organizations")) == 0


def test_a_client_reads_views_alone_and_no_vendor_column(database: str) -> None:
    columns = _rows(
        database,
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'client'",
    )
    tables = _rows(
        database,
        "SELECT table_schema FROM information_schema.role_table_grants WHERE grantee = 'maos_client'",
    )

    assert {row[0] for row in tables} == {"client"}
    assert not {"engine_type", "model", "raw_usage", "plan", "payload", "prompt_inputs"} & {row[0] for row in columns}
