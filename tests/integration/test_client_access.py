"""A customer's own login reads its organisation's views and cannot get out of them, whatever it tries."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import errors

from maos.audit import AuditLink, ChainReader, document_of
from maos.engines import EngineType
from sql.database import upgrade
from sql.session import org_session
from tasks.client_logins import Login, drop_login, make_login
from tests.gates import rows
from tests.tenants import Tenant, fill

VIEWS = ("runs", "invocations", "approvals", "usage", "audit")
VENDORS = ("claude", "anthropic", "gemini", "opus", "deep_agent")
_REFUSALS = (
    errors.InsufficientPrivilege,
    errors.InvalidParameterValue,
    errors.ObjectNotInPrerequisiteState,
    errors.FeatureNotSupported,
)
Client = psycopg.Connection[tuple[object, ...]]


def _address(database: str, login: Login) -> str:
    parts = urlsplit(database)
    host = f"{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=f"{login.name}:{quote(login.password)}@{host}"))


@pytest.fixture
def acme(database: str) -> Tenant:  # noqa: ARG001
    return fill("acme")


@pytest.fixture
def other(database: str) -> Tenant:  # noqa: ARG001
    return fill("other")


@pytest.fixture
def login(acme: Tenant) -> Iterator[Login]:
    yield make_login(acme.id)
    drop_login(acme.id)


@pytest.fixture
def client(database: str, login: Login, other: Tenant) -> Iterator[Client]:  # noqa: ARG001 - there is somebody else
    with psycopg.connect(_address(database, login), autocommit=True) as connection:
        yield connection


def _all(client: Client, query: str) -> list[tuple[object, ...]]:
    return client.execute(query.encode()).fetchall()


def test_each_view_shows_the_rows_of_the_logins_organisation_and_no_others(client: Client, acme: Tenant) -> None:
    for view in VIEWS:
        assert {org for (org,) in _all(client, f"SELECT org_id FROM client.{view}")} == {acme.id}, view


def test_no_view_names_a_vendor(client: Client) -> None:
    shown = str([_all(client, f"SELECT * FROM client.{view}") for view in VIEWS]).lower()

    assert "writer" in shown
    assert [vendor for vendor in VENDORS if vendor in shown] == []


def test_no_definition_of_a_view_names_a_vendor(client: Client) -> None:
    told = str([_all(client, f"SELECT pg_get_viewdef('client.{view}'::regclass)") for view in VIEWS]).lower()

    assert "engine_labels" in told
    assert [vendor for vendor in VENDORS if vendor in told] == []


def test_no_function_that_every_login_can_read_names_a_vendor(client: Client) -> None:
    told = str(_all(client, "SELECT prosrc, pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'bill%'")).lower()

    assert "billing_unit" in told
    assert [vendor for vendor in VENDORS if vendor in told] == []


def test_what_was_spent_can_be_added_up(client: Client) -> None:
    spent = (
        "SELECT agent_name, engine, sum(amount_usd) FROM client.usage WHERE kind IN ('settle', 'correct') GROUP BY 1, 2"
    )

    assert [(agent, engine, float(str(usd))) for agent, engine, usd in _all(client, spent)] == [
        ("clerk", "writer", 0.25)
    ]


def test_every_query_of_the_documentation_answers(client: Client) -> None:
    written = (Path(__file__).parent.parent.parent / "docs" / "client-access.md").read_text()
    queries = [query for block in re.findall(r"```sql\n(.*?)```", written, re.DOTALL) for query in block.split(";")]
    queries = [query for query in queries if query.strip()]

    assert len(queries) == 4
    for query in queries:
        assert _all(client, query), query


def test_a_customer_can_check_the_audit_chain_itself(client: Client) -> None:
    cursor = client.execute("SELECT * FROM client.audit ORDER BY sequence")
    names = [column.name for column in cursor.description or ()]
    reader = ChainReader()
    for found in cursor.fetchall():
        row = dict(zip(names, found, strict=True))
        assert reader.read(document_of(AuditLink.model_validate(row)), row["row_hash"]) is None

    assert reader.sequence >= 2


def test_every_engine_has_the_label_that_people_know(database: str) -> None:
    with psycopg.connect(database) as connection:
        written = connection.execute("SELECT engine_type, label FROM engine_labels").fetchall()

    assert dict(written) == {engine.value: engine.label for engine in EngineType}


_SETTINGS = (
    "SELECT set_config('app.org_id', '{other}', false)",
    "SET app.org_id = '{other}'",
    "SET ROLE maos_client",
    "SET app.actor = 'operator'",
    "SET search_path = public, client",
    "SET row_security = off",
)


def test_no_setting_shows_another_organisation(client: Client, acme: Tenant, other: Tenant) -> None:
    for setting in _SETTINGS:
        client.execute(setting.format(other=other.id).encode())
        for view in VIEWS:
            # Row security that is off refuses the query rather than showing more.
            with suppress(errors.InsufficientPrivilege):
                assert {org for (org,) in _all(client, f"SELECT org_id FROM client.{view}")} == {acme.id}, setting


_ROLES = ("maos_app", "maos_system", "maos_owner", "maos_views", "maos_admin", "postgres", "pg_read_all_data")
_FORBIDDEN = (
    *(f"SET ROLE {role}" for role in _ROLES),
    "SELECT * FROM public.orchestrator_runs",
    "SELECT * FROM public.invocation_vendor_details",
    "SELECT * FROM public.client_logins",
    "SELECT * FROM public.engine_labels",
    "SELECT * FROM public.organization_tombstones",
    "SELECT * FROM public.users",
    "SELECT * FROM pg_catalog.pg_authid",
    "SELECT * FROM pg_catalog.pg_largeobject",
    "UPDATE client.runs SET title = 'mine'",
    "DELETE FROM client.audit",
    "INSERT INTO client.runs (title) VALUES ('mine')",
    "INSERT INTO public.client_logins VALUES ('{other}', 'maos_client_0000000000000000')",
    "TRUNCATE public.orchestrator_runs",
    "CREATE TABLE public.mine (id int)",
    "CREATE TABLE client.mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE FUNCTION client.leak() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE FUNCTION public.leak() RETURNS int LANGUAGE sql RETURN 1",
    "CREATE SCHEMA mine",
    "CREATE OR REPLACE VIEW client.runs AS SELECT 1",
    "ALTER VIEW client.runs SET (security_barrier = false)",
    "ALTER ROLE maos_client SET app.org_id = '{other}'",
    "SELECT delete_organization('{other}', '{other}', '')",
    "SELECT ensure_audit_partitions(1)",
    "SELECT pg_advisory_lock(1919247215)",
    "SELECT pg_try_advisory_xact_lock(1919247215)",
    "SELECT lo_create(0)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "COPY client.runs TO '/tmp/leak.csv'",
    "COPY client.runs TO PROGRAM 'cat'",
    "SET SESSION AUTHORIZATION maos_app",
    "SELECT * FROM pg_stat_file('postgresql.conf')",
)


def test_nothing_but_the_views_is_read_and_nothing_is_written(database: str, client: Client, other: Tenant) -> None:
    # What may be done in a database is not cloned with it.
    upgrade(database)
    for statement in _FORBIDDEN:
        with pytest.raises(errors.Error) as refused:
            client.execute(statement.format(other=other.id).encode())
        assert isinstance(refused.value, _REFUSALS), (statement, refused.value)


def test_a_function_in_a_query_sees_no_row_that_the_view_does_not_show(client: Client, other: Tenant) -> None:
    # Errors tell what a condition was given: a condition that came before the wall would tell of the other's rows.
    for view, column in (("runs", "title"), ("audit", "summary"), ("approvals", "title")):
        with pytest.raises(errors.InvalidTextRepresentation) as told:
            _all(client, f"SELECT 1 FROM client.{view} WHERE {column}::int = 1")
        assert other.slug not in str(told.value).lower()


def test_the_names_of_logins_say_nothing_of_customers(client: Client, other: Tenant) -> None:
    make_login(other.id)
    names = str(_all(client, "SELECT rolname FROM pg_roles"))
    drop_login(other.id)

    assert "acme" not in names
    assert "other" not in names


def test_statements_of_others_are_not_shown(client: Client, acme: Tenant) -> None:
    with org_session(acme.id):
        seen = _all(client, "SELECT usename, query FROM pg_stat_activity WHERE usename <> session_user")

    assert {query for _, query in seen} <= {"<insufficient privilege>", None}


def test_another_password_ends_the_first_ones_use(database: str, acme: Tenant, login: Login) -> None:
    second = make_login(acme.id)

    assert second.name == login.name
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(_address(database, login))
    with psycopg.connect(_address(database, second)) as connection:
        assert connection.execute("SELECT count(*) FROM client.runs").fetchone() == (1,)


def test_a_dropped_login_is_gone_and_its_connections_with_it(database: str, acme: Tenant) -> None:
    login = make_login(acme.id)
    with psycopg.connect(_address(database, login), autocommit=True) as connection:
        assert drop_login(acme.id) == login.name
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1 FROM client.runs")

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(_address(database, login))
    assert drop_login(acme.id) is None


def test_a_login_is_audited_and_its_password_is_nowhere(database: str, login: Login) -> None:
    audited = rows("SELECT actor, event, summary FROM agent_action_audit_log WHERE event LIKE 'client%'")

    assert audited == [
        ("operator", "client_login.made", f"login {login.name} made, or given another password"),
    ]
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [login.name]).fetchone()
    assert found
    assert str(found[0]).startswith("SCRAM-SHA-256$")


def test_the_role_that_all_customers_share_is_no_login(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'maos_client'").fetchone() == (
            False,
        )


def test_a_login_that_is_bound_to_nothing_reads_nothing(database: str, acme: Tenant) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE maos_client_ffffffffffffffff LOGIN PASSWORD 'unbound' IN ROLE maos_client")
    try:
        address = _address(database, Login("maos_client_ffffffffffffffff", "unbound"))
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("SELECT set_config('app.org_id', %s, false)", [str(acme.id)])
            counts = [connection.execute(f"SELECT count(*) FROM client.{view}".encode()).fetchone() for view in VIEWS]
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP ROLE maos_client_ffffffffffffffff")

    assert counts == [(0,)] * len(VIEWS)
