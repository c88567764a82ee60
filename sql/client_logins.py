"""Logins of customers' own programs: roles of the database, each bound to the organisation it reads."""

from typing import Any
from uuid import UUID

from psycopg import Connection
from sqlalchemy import text
from sqlmodel import Session, select

from sql.organization_tables import ClientLogin

_AS_ADMINISTRATOR = text("SET LOCAL ROLE NONE")
_AS_OWNER = text("SET LOCAL ROLE maos_owner")
_CONNECTIONS = 10
_BIND = text(
    "INSERT INTO client_logins (org_id, login) VALUES (:org_id, :login) "
    "ON CONFLICT (org_id) DO UPDATE SET made_by = current_actor(), made_at = now()"
)
_UNBIND = text("DELETE FROM client_logins WHERE org_id = :org_id RETURNING login")
# Where the administrator is no superuser, connections go on that read nothing any more.
_END_CONNECTIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :login AND pg_has_role(usename, 'MEMBER')"
)


def login_of(org_id: UUID) -> str:
    """Return the name of an organisation's login.

    It says nothing: everybody who can log in can read the names of all logins.
    """
    return f"maos_client_{org_id.hex[:16]}"


def find_login(org_id: UUID, *, session: Session) -> ClientLogin | None:
    """Return the login of an organisation, if it has one."""
    return session.exec(select(ClientLogin).where(ClientLogin.org_id == org_id)).first()


def put_login(org_id: UUID, password: str, *, session: Session) -> str:
    """Make the organisation's login, or give it another password; return its name.

    The session is an administrator's that acts as the owner: roles are the server's, the binding is the database's.
    """
    login = login_of(org_id)
    session.execute(_AS_ADMINISTRATOR)
    known = session.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :login"), {"login": login})
    verb = "ALTER" if known else "CREATE"
    # Hashed here: the server may log the statement, and the password must be nowhere but with its owner.
    hashed = _hashed(login, password, session=session)
    # The driver's own: a colon in the hash would be read as a parameter.
    session.connection().exec_driver_sql(
        f"{verb} ROLE {login} LOGIN NOCREATEDB NOCREATEROLE CONNECTION LIMIT {_CONNECTIONS} PASSWORD '{hashed}'"
    )
    session.execute(text(f"GRANT maos_client TO {login}"))
    session.execute(_AS_OWNER)
    session.execute(_BIND, {"org_id": org_id, "login": login})
    return login


def drop_login(org_id: UUID, *, session: Session) -> str | None:
    """Remove the organisation's login; return its name, or None where there was none."""
    login = session.scalar(_UNBIND, {"org_id": org_id})
    if login is None:
        return None
    session.execute(_AS_ADMINISTRATOR)
    session.execute(_END_CONNECTIONS, {"login": login})
    session.execute(text(f"DROP ROLE {login}"))
    session.execute(_AS_OWNER)
    return str(login)


def _hashed(login: str, password: str, *, session: Session) -> str:
    driver: Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]  # it is open
    hashed = driver.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256")
    return hashed.decode()
