"""`maos org`: organisations, from their creation to their deletion."""

import dataclasses
from pathlib import Path
from uuid import UUID

import click

from console.organisations import known_org_id
from console.output import console, print_json, print_rows, table_of
from console.prefect_api import resume as wake
from maos.errors import BadInput
from maos.organizations import OPERATOR
from maos.runs import Run
from maos.settings import load_settings
from maos.statuses import RunStatus
from sql.client_logins import find_login
from sql.deletions import list_tombstones
from sql.organizations import find_organization, grants_of, list_organizations
from sql.runs import count_open
from sql.session import system_session
from tasks import client_logins, deletions, organizations
from tasks.ledger import find_run
from tasks.people import checked_person

_LIST = ("slug", "name", "status", "open_runs", "autonomy", "suspended_by", "suspended_because", "created_at")
_DELETED = ("slug", "deleted_at", "requested_by", "confirmed_by", "export_digest", "chain_sequence", "chain_hash")
_FACTS = (*_LIST[:5], "read_only_exempt", "suspended_by", "suspended_at", "suspended_because", "client_login")
_PEOPLE = ("email", "name", "role", "granted_by", "granted_at")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PERSON = click.option("--as", "person", metavar="EMAIL", help="Which owner does it; without it, the operator does.")


@click.group()
def org() -> None:
    """Create, suspend, resume and delete organisations; make logins for customers."""


@org.command()
@click.argument("slug")
@click.option("--name", required=True, help="What people call it.")
@click.option("--owner", required=True, metavar="EMAIL", help="Its first owner.")
@click.option("--owner-name", help="What the owner is called; by default the address.")
def create(slug: str, name: str, owner: str, owner_name: str | None) -> None:
    """Create an organisation with its first owner.

    \b
    Example:
      maos org create acme --name "Acme Ltd" --owner ann@acme.example
    """
    org_id = organizations.create_organization(slug, name, owner=owner, owner_name=owner_name or owner)
    click.echo(f"organisation {slug}: created, owned by {owner.strip().lower()}; id {org_id}")


@org.command("list")
@click.option("--deleted", is_flag=True, help="What remains of those that were deleted.")
@_JSON
def list_(deleted: bool, as_json: bool) -> None:
    """List organisations, or the tombstones of deleted ones.

    \b
    Examples:
      maos org list
      maos org list --deleted --json
    """
    with system_session() as session:
        if deleted:
            rows = [stone.model_dump() for stone in list_tombstones(session=session)]
        else:
            rows = [{**each.model_dump(), "open_runs": runs} for each, runs in list_organizations(session=session)]
    title = "deleted organisations" if deleted else "organisations"
    print_rows(rows, as_json=as_json, columns=_DELETED if deleted else _LIST, title=title)


@org.command()
@click.argument("slug")
@_JSON
def show(slug: str, as_json: bool) -> None:
    """Show an organisation with its people.

    \b
    Example:
      maos org show acme
    """
    org_id = known_org_id(slug)
    with system_session() as session:
        found, login = find_organization(slug, session=session), find_login(org_id, session=session)
        facts: dict[str, object] = {
            **(found.model_dump() if found else {}),
            "open_runs": count_open(org_id, session=session),
            "client_login": login.login if login else None,
        }
        people = [dataclasses.asdict(grant) for grant in grants_of(org_id, session=session)]
    if as_json:
        print_json({**facts, "people": people})
        return
    console().print(table_of([{"": name, " ": facts[name]} for name in _FACTS], columns=("", " ")))
    print_rows(people, as_json=False, columns=_PEOPLE, title="people")


@org.command()
@click.argument("slug")
@click.option("--reason", required=True, help="Why; kept with the organisation.")
@_PERSON
def suspend(slug: str, reason: str, person: str | None) -> None:
    """Let nothing more start for an organisation; its open runs stop before their next step and wait.

    \b
    Examples:
      maos org suspend acme --reason "invoice 2026-10 is unpaid"
      maos org suspend acme --reason "the mailbox was broken into" --as ann@acme.example
    """
    if not organizations.suspend(known_org_id(slug), reason, by=_by(person)):
        raise BadInput("slug", slug, "an organisation that is not suspended")
    click.echo(f"organisation {slug}: suspended by {_by(person)}; open runs are held before their next step")


@org.command()
@click.argument("slug")
@_PERSON
def resume(slug: str, person: str | None) -> None:
    """Let work go on: runs that the suspension held are woken, runs that a person holds are not.

    What the operator has suspended, only the operator resumes.

    \b
    Example:
      maos org resume acme
    """
    org_id = known_org_id(slug)
    if not organizations.resume(org_id, by=_by(person)):
        raise BadInput("slug", slug, "an organisation that is suspended")
    click.echo(f"organisation {slug}: resumed by {_by(person)}; {_wake_runs(org_id)}")


@org.command()
@click.argument("slug")
@click.option("--as", "person", required=True, metavar="EMAIL", help="Which owner asks for it, or confirms it.")
@click.option("--confirm", type=click.UUID, metavar="ID", help="Carry out what another owner has asked for.")
@click.option("--to", "exports", type=click.Path(path_type=Path), help="Folder for the export.")
def delete(slug: str, person: str, confirm: UUID | None, exports: Path | None) -> None:
    """Export an organisation and ask for its deletion; within 72 hours a second owner confirms it.

    Deleted is exactly what was exported: whatever changes in between takes a new request.

    \b
    Examples:
      maos org delete acme --as ann@acme.example
      maos org delete acme --as bob@acme.example --confirm 0b5c6c1e-0f0e-4f0a-9d8f-3f2a7c1d4e5b
    """
    org_id, by = known_org_id(slug), _by(person)
    if confirm:
        if exports:
            raise BadInput("--to", str(exports), "only with a request; the export of this one is written")
        folder = deletions.confirm_deletion(org_id, confirm, by=by)
        click.echo(f"organisation {slug}: deleted; its rows and files are in {folder}")
        return
    request = deletions.request_deletion(org_id, by=by, exports=exports)
    rows = sum(file.rows for file in request.manifest.files)
    click.echo(f"organisation {slug}: {rows} rows exported to {request.folder}, digest {request.manifest.digest}")
    click.echo("Within 72 hours, another owner deletes it:")
    click.echo(f"  maos org delete {slug} --as EMAIL --confirm {request.id}")


@org.command("client-login")
@click.argument("slug")
@click.option("--drop", is_flag=True, help="Remove it instead.")
@_JSON
def client_login(slug: str, drop: bool, as_json: bool) -> None:
    """Make the database login by which a customer's programs read their own views; again: another password.

    The password is printed once and kept nowhere. It takes an administrator's MAOS_DATABASE_URL.

    \b
    Examples:
      maos org client-login acme
      maos org client-login acme --drop
    """
    org_id = known_org_id(slug)
    if drop:
        name = client_logins.drop_login(org_id)
        click.echo(f"login {name}: dropped" if name else f"organisation {slug} has no client login")
        return
    login = client_logins.make_login(org_id)
    if as_json:
        print_json(dataclasses.asdict(login))
        return
    click.echo(f"login:    {login.name}\npassword: {login.password}")


def _by(person: str | None) -> str:
    # Whoever calls themselves what the operator is called is no address, and is refused.
    return checked_person(person, field="--as") if person else OPERATOR


def _wake_runs(org_id: UUID) -> str:
    waiting = organizations.runs_to_wake(org_id)
    if not waiting:
        return "no run waits for that"
    if not load_settings().prefect_api_url:
        return f"{len(waiting)} runs go on with the next reconciliation"
    return f"{sum(map(_wake, waiting))} of {len(waiting)} runs go on"


def _wake(run: Run) -> bool:
    def goes_on() -> bool:
        now = find_run(run.id)
        return now is None or now.status is not RunStatus.PAUSED

    return wake(run.id, OPERATOR, picked_up=goes_on)
