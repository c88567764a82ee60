"""`maos retention`: how long audit rows stay in the log, legal holds, and what has left for archives."""

from uuid import UUID

import click

from console.organisations import known_org_id, organisations
from console.output import print_json, print_rows
from maos.errors import BadInput
from sql.retention import archives_of, newest_retention, oldest_row_at, open_holds
from sql.session import system_session

_ORG = click.option("--org", required=True, help="Slug of the organisation.")
_AS = click.option("--as", "person", required=True, metavar="EMAIL", help="Who decides: an owner of the organisation.")
_REASON = click.option("--reason", required=True, help="Why; kept with it, and told in the audit log.")
_KEPT = ("org", "kept_months", "version", "set_by", "set_at", "reason", "oldest_row")
_HOLDS = ("org", "id", "reason", "placed_by", "placed_at")
_ARCHIVES = ("org", "month", "first_sequence", "last_sequence", "dropped_at", "sha256", "file")


@click.group()
def retention() -> None:
    """Say how long audit rows are kept; place and release legal holds; archive what nobody keeps."""


@retention.command()
@click.option("--org", help="Only of this organisation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(org: str | None, as_json: bool) -> None:
    """Show how long each organisation's audit rows are kept, open holds, and archives.

    \b
    Example:
      maos retention show --org demo
    """
    shown = [_of(org_id, slug) for org_id, slug in organisations(org)]
    if as_json:
        print_json(shown)
        return
    print_rows(shown, as_json=False, columns=_KEPT, title="audit rows are kept")
    print_rows(_parts(shown, "holds"), as_json=False, columns=_HOLDS, title="legal holds")
    print_rows(_parts(shown, "archives"), as_json=False, columns=_ARCHIVES, title="archives")


def _of(org_id: UUID, org: str) -> dict[str, object]:
    with system_session() as session:
        newest = newest_retention(org_id, session=session)
        holds = [{"org": org, **hold.model_dump()} for hold in open_holds(org_id, session=session)]
        archives = [{"org": org, **each.model_dump()} for each in archives_of(org_id, session=session)]
        oldest = oldest_row_at(org_id, session=session)
    said = newest.model_dump(exclude={"org_id", "months"}) if newest else {}
    kept = (newest and newest.months) or "forever"
    return {"org": org, "kept_months": kept, **said, "oldest_row": oldest, "holds": holds, "archives": archives}


def _parts(shown: list[dict[str, object]], name: str) -> list[dict[str, object]]:
    return [part for each in shown if isinstance(parts := each[name], list) for part in parts]


@retention.command("set")
@_ORG
@click.option("--months", required=True, help="For how many months rows are kept after their month, or `forever`.")
@_AS
@_REASON
def set_(org: str, months: str, person: str, reason: str) -> None:
    """Say how long an organisation's audit rows are kept; every version is kept.

    Months hold the rows of several organisations: the longest retention among them counts for all of them.

    \b
    Example:
      maos retention set --org demo --months 24 --as owner@demo.example --reason "two years, by contract"
    """
    from tasks.retention_rules import set_retention

    who, number = person.strip().lower(), _months(months)
    version = set_retention(known_org_id(org), number, person=who, reason=reason)
    click.echo(f"retention of {org}: version {version}, {f'{number} months' if number else 'forever'}, set by {who}")


def _months(text: str) -> int | None:
    if text.strip().lower() == "forever":
        return None
    if not text.strip().isdecimal():
        raise BadInput("--months", text, "a number of months, or forever")
    return int(text)


@retention.command()
@_ORG
@_AS
@_REASON
def hold(org: str, person: str, reason: str) -> None:
    """Place a legal hold: nothing in a month with rows of the organisation is removed until it is released.

    \b
    Example:
      maos retention hold --org demo --as owner@demo.example --reason "case 4711"
    """
    from tasks.retention_rules import place_hold

    placed = place_hold(known_org_id(org), person=person.strip().lower(), reason=reason)
    click.echo(f"legal hold {placed.id} of {org} placed")


@retention.command()
@click.argument("hold_id", type=click.UUID, metavar="HOLD")
@_ORG
@_AS
@_REASON
def release(hold_id: UUID, org: str, person: str, reason: str) -> None:
    """Release a legal hold; the others of the organisation stay.

    \b
    Example:
      maos retention release 5a1c... --org demo --as owner@demo.example --reason "case 4711 is closed"
    """
    from tasks.retention_rules import release_hold

    release_hold(known_org_id(org), hold_id, person=person.strip().lower(), reason=reason)
    click.echo(f"legal hold {hold_id} of {org} released")


@retention.command()
@click.option("--rehearse", is_flag=True, help="Only say what would be done.")
def run(rehearse: bool) -> None:
    """Archive and remove the months that nobody keeps, now: what the flow `apply-retention` does every day.

    \b
    Examples:
      maos retention run --rehearse
      maos retention run
    """
    from tasks.retention import apply_retention

    for said in apply_retention(rehearse=rehearse) or ["no month of the log has ended yet"]:
        click.echo(said)


@retention.command()
@_ORG
def verify(org: str) -> None:
    """Read every archive of an organisation anew: checksums, and each row's place in the chain.

    \b
    Example:
      maos retention verify --org demo
    """
    from tasks.retention import check_archives

    archives = check_archives(known_org_id(org))
    for archive in archives:
        click.echo(
            f"{archive.month:%Y-%m}: rows {archive.first_sequence} to {archive.last_sequence} hold; {archive.file}"
        )
    if not archives:
        click.echo(f"{org} has no archives")
