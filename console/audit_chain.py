"""`maos audit verify` and `export`: whether the chain holds, here or anywhere."""

import sys
from datetime import datetime
from pathlib import Path

import click

from console.organisations import known_org_id, org_id_of
from console.output import print_json
from console.times import DATE, utc
from maos.audit_export import Checked, check_export
from sql.audit import head_of, organizations_with_audit, verify_chain
from sql.session import system_session

_HOLDS: dict[str, object] = {"fault_at": None, "fault": None}


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--org", help="Only this organisation's chain.")
@click.option("--head", help="Of a file: the hash of its last row, as it is known from elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(file: Path | None, org: str | None, head: str | None, as_json: bool) -> None:
    """Check the hash chain of each organisation, or of an export; exit with 1 where one does not hold.

    A file is checked without any database. Whoever could rewrite a chain wholly can be caught only by a head that was
    noted elsewhere: give it as --head.

    \b
    Examples:
      maos audit verify --org demo
      maos audit verify demo.jsonl --head 5c1f...
    """
    if file and org:
        raise click.UsageError("a file is of one organisation: leave --org out")
    if head and not file:
        raise click.UsageError("--head is for a file")
    results = [_of_file(file, head)] if file else _of_database(org)
    if as_json:
        print_json(results)
    for result in [] if as_json else results:
        click.echo(_in_words(result))
    sys.exit(1 if any(result["fault"] for result in results) else 0)


def _of_file(file: Path, head: str | None) -> dict[str, object]:
    with file.open("rb") as lines:
        checked = check_export(lines, known_head=head.strip().lower() if head else None)
    org = checked.header.org if checked.header else file.name
    return {"org": org, "rows": checked.rows, "head": checked.head, **_fault(checked)}


def _fault(checked: Checked) -> dict[str, object]:
    finding = checked.finding
    return {"fault_at": finding.place, "fault": finding.reason} if finding else _HOLDS


def _of_database(org: str | None) -> list[dict[str, object]]:
    wanted = org_id_of(org)
    results: list[dict[str, object]] = []
    with system_session() as session:
        chains = organizations_with_audit(session=session)
    for org_id, slug in chains:
        if wanted in {None, org_id}:
            # Each in a transaction of its own: none holds up the writers of another.
            with system_session() as session:
                rows, fault = verify_chain(org_id, session=session)
                _, head = head_of(org_id, session=session)
            found = {"fault_at": f"row {fault.sequence}", "fault": fault.reason} if fault else _HOLDS
            results.append({"org": slug, "rows": rows, "head": head, **found})
    return results


def _in_words(result: dict[str, object]) -> str:
    if result["fault"]:
        return f"{result['org']}: BROKEN at {result['fault_at']}: {result['fault']}"
    return f"{result['org']}: {result['rows']} rows, the chain holds; head {result['head']}"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--org", required=True, help="Whose chain.")
@click.option("--since", type=DATE, metavar="DATE", help="From the first row recorded then or later, in UTC.")
@click.option("--until", type=DATE, metavar="DATE", help="To the last row recorded before, in UTC.")
def export(file: Path, org: str, since: datetime | None, until: datetime | None) -> None:
    """Write a chain, or a stretch of it, into a file that anybody can verify.

    \b
    Examples:
      maos audit export --org demo demo.jsonl
      maos audit export --org demo --since 2026-11-01 --until 2026-12-01 november.jsonl
    """
    # Imported here: writing takes more of the project than reading does.
    from tasks.audit_export import Stretch, export_audit

    first, last = export_audit(Stretch(org, known_org_id(org), utc(since), utc(until)), file)
    checked = _of_file(file, None)
    if checked["fault"]:
        raise click.ClickException(f"{file} does not hold at {checked['fault_at']}: {checked['fault']}")
    click.echo(f"{file}: rows {first} to {last} of {org}; head {checked['head']}")
