"""`maos audit verify`, `anchor` and `export`: whether the chain holds, here or anywhere."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from console.organisations import known_org_id, org_id_of
from console.output import print_json
from console.times import DATE, utc
from maos.audit import ChainBroken
from maos.audit_export import Checked, check_export
from sql.audit import base_of, head_of, organizations_with_audit, verify_chain
from sql.session import system_session

_HOLDS: dict[str, object] = {"fault_at": None, "fault": None}


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--org", help="Only this organisation's chain.")
@click.option("--head", help="Of a file: the hash of its last row, as it is known from elsewhere.")
@click.option(
    "--anchors",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A copy of the artifact store whose anchors are compared; by default the store itself.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(file: Path | None, org: str | None, head: str | None, anchors: Path | None, as_json: bool) -> None:
    """Check the hash chain of each organisation, or of an export; exit with 1 where one does not hold.

    A file is checked without any database. Whoever could rewrite a chain wholly, or remove rows at its end, is caught
    by what was noted elsewhere: the anchors in the artifact store; for a file its last row's hash, as --head.

    \b
    Examples:
      maos audit verify --org demo
      maos audit verify --anchors /mnt/copy/artifacts
      maos audit verify demo.jsonl --head 5c1f...
    """
    if file and org:
        raise click.UsageError("a file is of one organisation: leave --org out")
    if head and not file:
        raise click.UsageError("--head is for a file")
    if anchors and file:
        raise click.UsageError("--anchors is for the database; for a file give --head")
    results = [_of_file(file, head)] if file else _of_database(org, anchors)
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


def _of_database(org: str | None, store: Path | None) -> list[dict[str, object]]:
    wanted = org_id_of(org)
    with system_session() as session:
        chains = organizations_with_audit(session=session)
    return [_of_chain(slug, org_id, store) for org_id, slug in chains if wanted in {None, org_id}]


# Any: an id.
def _of_chain(org: str, org_id: Any, store: Path | None) -> dict[str, object]:
    # Imported here: a file is verified without them.
    from tasks.audit_anchors import chain_of

    try:
        anchors = chain_of(org, org_id, store=store).anchors
    except ChainBroken as broken:
        return {"org": org, "rows": 0, "head": None, "anchors": 0, "fault_at": broken.place, "fault": broken.reason}
    # Each in a transaction of its own: none holds up the writers of another.
    with system_session() as session:
        rows, fault = verify_chain(org_id, known=[each.known for each in anchors], session=session)
        _, head = head_of(org_id, session=session)
        archived, _ = base_of(org_id, session=session)
    found = {"fault_at": f"row {fault.sequence}", "fault": fault.reason} if fault else _HOLDS
    return {"org": org, "rows": rows, "head": head, "anchors": len(anchors), "archived": archived, **found}


def _in_words(result: dict[str, object]) -> str:
    if result["fault"]:
        return f"{result['org']}: BROKEN at {result['fault_at']}: {result['fault']}"
    anchored = f", as {result['anchors']} anchors say" if result.get("anchors") else ""
    archived = f", of which the first {result['archived']} are archived" if result.get("archived") else ""
    return f"{result['org']}: {result['rows']} rows{archived}, the chain holds{anchored}; head {result['head']}"


@click.command()
def anchor() -> None:
    """Note the heads of all chains in the artifact store now, as the flow `anchor-audit-chains` does every day.

    \b
    Example:
      maos audit anchor
    """
    from tasks.audit_anchors import anchor_all

    for said in anchor_all() or ["every chain is anchored"]:
        click.echo(said)


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
