"""`maos audit`: list and show the rows of the audit log."""

from datetime import datetime
from typing import Any

import click

from console.audit_chain import anchor, export, verify
from console.ids import run_id_of
from console.organisations import known_org_id, org_id_of
from console.output import console, print_json, print_rows, table_of
from console.times import DATE, utc
from maos.audit import ChainReader
from maos.errors import BadInput
from maos.risk import RiskLevel
from sql.audit import base_of, documents, head_of
from sql.audit_rows import AuditFilter, audit_row, list_audit
from sql.runs import run_row
from sql.session import system_session

_LIST = ("org", "sequence", "recorded_at", "event", "actor", "step_id", "risk", "was_automatic", "success", "summary")


@click.group()
def audit() -> None:
    """List, show, verify, anchor and export the audit log."""


for command in (verify, anchor, export):
    audit.add_command(command)


@audit.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--run", help="Only this run's, in the order they were written.")
@click.option("--event", help="Only this event, such as step.completed, or a kind of them, such as approval.")
@click.option("--actor", help="Only of this person or agent.")
@click.option("--action", help="Only about this action.")
@click.option("--risk", type=click.Choice([risk.value for risk in RiskLevel]), help="Only of this risk.")
@click.option("--automatic/--asked", "was_automatic", default=None, help="Only what happened unasked, or asked.")
@click.option("--failures", is_flag=True, help="Only what did not succeed.")
@click.option("--since", type=DATE, metavar="DATE", help="Recorded then or later, in UTC.")
@click.option("--until", type=DATE, metavar="DATE", help="Recorded before, in UTC.")
@click.option("--before", metavar="ORG/SEQUENCE", help="The page after this row: the last one of the page before.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all columns.")
def list_(before: str | None, limit: int, as_json: bool, **which: Any) -> None:
    """List audit rows, newest first; of one run, in order.

    \b
    Examples:
      maos audit list --org demo --failures
      maos audit list --run 3f2a --json
      maos audit list --event approval --actor reviewer@demo.example --since 2026-11-01
    """
    wanted = _filter(before, limit, **which)
    with system_session() as session:
        found = [{"org": slug, **row.model_dump()} for row, slug in list_audit(wanted, session=session)]
    rows = found[::-1] if which["run"] else found
    print_rows(rows, as_json=as_json, columns=_LIST, title="audit")
    if len(found) == limit and not as_json:
        click.echo(f"older ones: --before {found[-1]['org']}/{found[-1]['sequence']}")


def _filter(
    before: str | None,
    limit: int,
    *,
    org: str | None,
    run: str | None,
    risk: str | None,
    since: datetime | None,
    until: datetime | None,
    **equal: Any,
) -> AuditFilter:
    org_id, run_id = org_id_of(org), run_id_of(run) if run else None
    if run_id:
        with system_session() as session:
            owner = run_row(run_id, session=session).org_id
        if org_id not in {None, owner}:
            raise BadInput("run", str(run), f"a run of {org}")
        org_id = owner
    return AuditFilter(
        org_id=org_id,
        run_id=run_id,
        risk=RiskLevel(risk) if risk else None,
        since=utc(since),
        until=utc(until),
        before=_place(before) if before else None,
        limit=limit,
        **equal,
    )


# Any: an id.
def _place(text: str) -> tuple[Any, int]:
    org, slash, sequence = text.partition("/")
    if not slash or not sequence.isdecimal():
        raise BadInput("--before", text, "ORG/SEQUENCE, as the listing before ends with")
    return known_org_id(org), int(sequence)


@audit.command()
@click.argument("org")
@click.argument("sequence", type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(org: str, sequence: int, as_json: bool) -> None:
    """Show a row with every column, and its place in the chain.

    \b
    Example:
      maos audit show demo 17
    """
    org_id = known_org_id(org)
    with system_session() as session:
        row = audit_row(org_id, sequence, session=session)
        if row is None:
            raise BadInput("sequence", str(sequence), f"one up to {head_of(org_id, session=session)[0]}")
        head, _ = head_of(org_id, session=session)
        place = {"holds": _fault(org_id, sequence, session=session) or "yes", "rows_after": max(0, head - sequence)}
    if as_json:
        print_json(row.model_dump() | {"org": org, **place})
        return
    facts = {"org": org, **row.model_dump(), **place}
    console().print(table_of([{"": name, " ": value} for name, value in facts.items()], columns=("", " ")))


# Any: an id and a session.
def _fault(org_id: Any, sequence: int, *, session: Any) -> str | None:
    """Return why a row does not hold against the one before it."""
    before, base = audit_row(org_id, sequence - 1, session=session), base_of(org_id, session=session)
    if before is None and sequence - 1 != base[0]:
        return f"row {sequence - 1} is missing"
    reader = ChainReader(sequence=sequence - 1, row_hash=before.row_hash if before else base[1])
    for document, row_hash in documents(org_id, first=sequence, last=sequence, session=session):
        if fault := reader.read(document, row_hash):
            return fault.reason
    return None
