"""`maos users`: the people of an organisation and their roles."""

import dataclasses

import click

from console.organisations import known_org_id
from console.output import print_rows
from maos.roles import Role
from sql.organizations import grants_of
from sql.session import system_session
from tasks import people

_COLUMNS = ("email", "name", "role", "granted_by", "granted_at")
_ROLES = click.Choice([role.value for role in Role])
_ORG = click.option("--org", required=True, help="Slug of the organisation.")
_PERSON = click.option("--as", "person", required=True, metavar="EMAIL", help="Who does it: an owner or operator.")


@click.group()
def users() -> None:
    """Add people to organisations, grant and revoke roles."""


@users.command()
@click.argument("email")
@_ORG
@click.option("--role", required=True, type=_ROLES, help="Their first role.")
@click.option("--name", help="What they are called; by default the address.")
@_PERSON
def add(email: str, org: str, role: str, name: str | None, person: str) -> None:
    """Make a person a member of an organisation.

    \b
    Example:
      maos users add bob@acme.example --org acme --role author --name "Bob Ray" --as ann@acme.example
    """
    people.add_person(email, name or email, Role(role), org_id=known_org_id(org), by=_by(person))
    click.echo(f"{_by(email)}: {role} of {org}")


@users.command()
@click.argument("email")
@_ORG
@click.option("--role", required=True, type=_ROLES, help="The further role.")
@_PERSON
def grant(email: str, org: str, role: str, person: str) -> None:
    """Give a member a further role; nobody grants a role that may do more than they may.

    \b
    Example:
      maos users grant bob@acme.example --org acme --role reviewer --as ann@acme.example
    """
    new = people.grant(email, Role(role), org_id=known_org_id(org), by=_by(person))
    click.echo(f"{_by(email)}: {role} of {org}{'' if new else ' already'}")


@users.command()
@click.argument("email")
@_ORG
@click.option("--role", type=_ROLES, help="Only this role; without it, all of them.")
@_PERSON
def revoke(email: str, org: str, role: str | None, person: str) -> None:
    """Take a role from a member, or all of them; an organisation keeps its last owner.

    \b
    Example:
      maos users revoke bob@acme.example --org acme --role author --as ann@acme.example
    """
    taken = people.revoke(email, Role(role) if role else None, org_id=known_org_id(org), by=_by(person))
    click.echo(f"{_by(email)}: no longer {', '.join(taken)} of {org}")


@users.command("list")
@_ORG
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(org: str, as_json: bool) -> None:
    """List the people of an organisation with their roles, and who granted them.

    \b
    Example:
      maos users list --org acme
    """
    with system_session() as session:
        rows = [dataclasses.asdict(each) for each in grants_of(known_org_id(org), session=session)]
    print_rows(rows, as_json=as_json, columns=_COLUMNS, title=f"people of {org}")


def _by(email: str) -> str:
    return email.strip().lower()
