"""`maos db`: migrate the database and print its addresses."""

import click

from maos.errors import BadInput
from maos.settings import DatabaseRole, load_settings


@click.group()
def db() -> None:
    """Migrate the database and print its addresses."""


@db.command()
def upgrade() -> None:
    """Bring the database to the present shape; harmless when it is.

    \b
    Example:
      MAOS_DATABASE_URL=postgresql://admin:secret@db.example/maos maos db upgrade
    """
    from sql.database import upgrade as upgrade_database

    address = load_settings().database_url
    if address is None:
        raise BadInput("MAOS_DATABASE_URL", "", "an address of PostgreSQL; or start the embedded stack: maos up")
    upgrade_database(address.get_secret_value())
    click.echo("the database is up to date")


@db.command()
@click.option(
    "--role",
    type=click.Choice([role.value for role in DatabaseRole]),
    default="app",
    show_default=True,
    help="As which role.",
)
def url(role: str) -> None:
    """Print a psql-ready address.

    \b
    Example:
      psql "$(maos db url --role system)"
    """
    click.echo(load_settings().database_address(DatabaseRole(role)))
