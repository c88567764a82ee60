"""The two databases and their logins, before and after the migrations."""

import psycopg
from psycopg import sql

from deployments.credentials import Credentials
from maos.errors import StackError

MAOS = "maos"
PREFECT = "prefect"


def create_embedded(admin_url: str, credentials: Credentials) -> None:
    """Create both databases of our own cluster, closed to each other's logins."""
    with _connect(admin_url) as connection:
        _ensure_login(connection, PREFECT, credentials.prefect_database)
        for name, owner in ((MAOS, None), (PREFECT, PREFECT)):
            _ensure_database(connection, name, owner=owner)
            connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        connection.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")


def create_beside(database_url: str) -> None:
    """Create Prefect's database on the server that an operator has given."""
    with _connect(database_url) as connection:
        _ensure_database(connection, PREFECT, owner=None)


def give_logins(admin_url: str, credentials: Credentials) -> None:
    """Let the roles of the maos database log in, in our own cluster."""
    passwords = {
        "maos_app": credentials.maos_app,
        "maos_system": credentials.maos_system,
        "maos_client": credentials.maos_client,
    }
    with _connect(admin_url) as connection:
        for role, password in passwords.items():
            _ensure_login(connection, role, password)


def _connect(url: str) -> "psycopg.Connection[tuple[object, ...]]":
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        raise StackError("postgres", str(error).strip()) from error


def _ensure_login(connection: "psycopg.Connection[tuple[object, ...]]", role: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
    verb = sql.SQL("ALTER" if known else "CREATE")
    connection.execute(statement.format(verb, sql.Identifier(role), sql.Literal(password)))


def _ensure_database(connection: "psycopg.Connection[tuple[object, ...]]", name: str, *, owner: str | None) -> None:
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
        return
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if owner is not None:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise StackError("postgres", f"database {name!r} is missing and the given login may not create it") from error
