"""Bring a database to the present shape: roles, grants, migrations, partitions."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, make_url, text

_ROLES = ("maos_owner", "maos_app", "maos_system", "maos_client", "maos_views")
# What anybody who can log in may call, and with which a customer could hold up housekeeping or fill the disk.
_CLOSED_FUNCTIONS = r"^(pg_(try_)?advisory_|lo_|loread$|lowrite$)"
# Any constant will do: it keeps two upgrades at once apart.
_UPGRADE_LOCK = 0x6D616F73
PARTITION_MONTHS_AHEAD = 18


def sqlalchemy_address(address: str) -> str:
    """Return the address with the driver that maos uses."""
    return make_url(address).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def upgrade(admin_address: str) -> None:
    """Create the roles where they are missing and migrate the database to the newest revision.

    Args:
        admin_address: a login that may create roles and objects in this database.
    """
    engine = create_engine(sqlalchemy_address(admin_address), hide_parameters=True)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _UPGRADE_LOCK})
            _ensure_roles(connection)
            connection.commit()
            connection.execute(text("SET ROLE maos_owner"))
            command.upgrade(_alembic(connection), "head")
            connection.execute(text("SELECT ensure_audit_partitions(:ahead)"), {"ahead": PARTITION_MONTHS_AHEAD})
            connection.commit()
    finally:
        engine.dispose()


def _ensure_roles(connection: Connection) -> None:
    present = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    for role in _ROLES:
        if role not in present:
            connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        connection.execute(text(f"GRANT {role} TO CURRENT_USER"))
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    connection.execute(text(f"GRANT CREATE, CONNECT ON DATABASE {database} TO maos_owner"))
    connection.execute(text(f"GRANT CONNECT ON DATABASE {database} TO maos_app, maos_system, maos_client"))
    connection.execute(text("GRANT CREATE, USAGE ON SCHEMA public TO maos_owner"))
    # The owner's migrations make the views that act as this role.
    connection.execute(text("GRANT maos_views TO maos_owner"))
    connection.execute(text(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC"))
    _close_functions(connection)


def _close_functions(connection: Connection) -> None:
    """Take from everybody, and leave to our own roles, what only a superuser can take."""
    if not connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        return
    open_to_all = text(
        "SELECT p.oid::regprocedure::text "
        "FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a "
        "WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ :names AND a.grantee = 0"
    )
    for function in connection.scalars(open_to_all, {"names": _CLOSED_FUNCTIONS}).all():
        connection.execute(text(f"REVOKE EXECUTE ON FUNCTION pg_catalog.{function} FROM PUBLIC"))
        connection.execute(
            text(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO maos_owner, maos_app, maos_system")
        )


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
