"""The two databases and their logins, before and after the migrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import psycopg
from psycopg import sql

from deployments.embedded.credentials import Credentials
from maos.errors import StackError

MAOS = "maos"
PREFECT = "prefect"
Session: TypeAlias = "psycopg.Connection[tuple[object, ...]]"


def create_embedded(admin_url: str, credentials: Credentials) -> None:
    """Create both databases of our own cluster, closed to each other's logins."""
    with _session(admin_url) as session:
        _ensure_login(session, PREFECT, credentials.prefect_database)
        _ensure_database(session, MAOS, owner=None)
        _ensure_database(session, PREFECT, owner=PREFECT)
        for name in (MAOS, PREFECT, "postgres"):
            session.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def create_beside(database_url: str) -> None:
    """Create Prefect's database on the server that an operator has given."""
    with _session(database_url) as session:
        _ensure_database(session, PREFECT, owner=None)


def give_logins(admin_url: str, credentials: Credentials) -> None:
    """Let the roles of the maos database log in, in our own cluster."""
    with _session(admin_url) as session:
        _ensure_login(session, "maos_app", credentials.maos_app)
        _ensure_login(session, "maos_system", credentials.maos_system)
        # An earlier stack gave one to all customers together; each has its own.
        session.execute("ALTER ROLE maos_client NOLOGIN PASSWORD NULL")


@contextmanager
def _session(url: str) -> Iterator[Session]:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as session:
            yield session
    except psycopg.Error as error:
        raise StackError("postgres", str(error).strip()) from error


def _ensure_login(session: Session, role: str, password: str) -> None:
    known = session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}")
    verb = sql.SQL("ALTER" if known else "CREATE")
    session.execute(statement.format(verb, sql.Identifier(role), sql.Literal(password)))


def _ensure_database(session: Session, name: str, *, owner: str | None) -> None:
    if session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
        return
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if owner is not None:
        statement += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
    session.execute(statement)
