"""The walls between organisations stand in the database."""

import re
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from sql.organizations import ensure_member, ensure_organization
from sql.session import org_session, system_session
from tests.rows import add_run

_APPEND_ONLY = (
    "agent_action_audit_log",
    "agent_action_edits",
    "agent_action_votes",
    "approval_likenesses",
    "approval_rollbacks",
    "invocation_vendor_details",
    "organization_policies",
    "organization_rules",
    "price_overrides",
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
        WHERE c.relrowsecurity AND c.relforcerowsecurity
          AND (p.qual LIKE '%org_id = %current_org()%' OR p.qual LIKE '%org_id = %''app.org_id''%')
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


def test_every_row_of_a_tenant_table_is_of_an_organisation_that_exists(database: str) -> None:
    bound = _rows(
        database,
        """
        SELECT c.relname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND a.attnotnull
        JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid = 'organizations'::regclass
             AND f.conkey = ARRAY[a.attnum] AND f.convalidated
        """,
    )

    assert set(_tenant_tables(database)) <= {str(row[0]) for row in bound}


def test_what_others_refer_to_is_unique_with_its_organisation(database: str) -> None:
    loose = _rows(
        database,
        """
        SELECT f.confrelid::regclass::text FROM pg_constraint f
        JOIN pg_attribute o ON o.attrelid = f.confrelid AND o.attname = 'org_id'
        WHERE f.contype = 'f' AND f.confrelid <> 'organizations'::regclass AND NOT o.attnum = ANY (f.confkey)
        """,
    )

    assert loose == []


def test_every_table_that_is_listed_by_time_has_the_indexes_of_a_list(database: str) -> None:
    """A tenant table of things with an id and a time is listed newest first, and by status where it has one."""
    things = _rows(
        database,
        """
        SELECT c.relname, EXISTS (SELECT FROM pg_attribute s WHERE s.attrelid = c.oid AND s.attname = 'status')
        FROM pg_class c
        JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 1
        JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = i.indkey[0] AND k.attname = 'id'
        WHERE EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'org_id')
          AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.atttypid = 'timestamptz'::regtype
                      AND t.attnotnull)
          AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
        """,
    )
    indexes: dict[str, set[str]] = {}
    for table, definition in _rows(database, "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"):
        indexes.setdefault(str(table), set()).add(_columns_of_list(str(definition)))

    assert len(things) >= 6
    for table, has_status in things:
        assert "org_id, TIME, id" in indexes[str(table)], table
        assert not has_status or "org_id, status, TIME, id" in indexes[str(table)], table


def _columns_of_list(definition: str) -> str:
    return re.sub(r"\w+ DESC, id DESC$", "TIME, id", definition.partition(" USING btree (")[2].rstrip(")"))


def test_no_function_that_acts_as_its_owner_is_open_to_everybody_or_takes_its_names_from_the_caller(
    database: str,
) -> None:
    definers = _rows(
        database,
        """
        SELECT p.proname, has_function_privilege('public', p.oid, 'EXECUTE'), p.proconfig::text
        FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
        """,
    )

    # The organisation of a customer's login is its own to know.
    assert {str(name) for name, is_open, _ in definers if is_open} == {"client_org"}
    # Temporary names last: a caller can make those.
    safe = re.compile(r'search_path=pg_catalog, (public, )?pg_temp["}]')
    assert [name for name, _, config in definers if not safe.search(str(config))] == []


def test_the_database_itself_writes_who_granted_a_role(org_id: UUID) -> None:
    with system_session(actor="ann@acme.example") as session:
        ensure_member("new@demo.example", "New", "auditor", org_id=org_id, session=session)
        written = text("SELECT granted_by FROM user_organizations WHERE role = 'auditor'")
        assert session.scalar(written) == "ann@acme.example"
    with system_session() as session:
        assert session.scalar(text("SELECT current_actor() = session_user"))


def test_the_application_owns_nothing_and_bypasses_nothing(database: str) -> None:
    roles = _rows(
        database,
        "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles "
        "WHERE rolname LIKE 'maos\\_%' AND rolname NOT LIKE 'maos\\_client\\_%'",
    )
    owners = _rows(
        database,
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'",
    )

    assert {name: strong for name, strong in roles if name != "maos_admin"} == {
        "maos_app": False,
        "maos_client": False,
        "maos_owner": False,
        "maos_system": False,
        "maos_views": False,
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
        engine = session.connection().engine
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
