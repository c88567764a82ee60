"""`maos billing`: what organisations owe, month by month, and whether it adds up."""

import sys
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

import click

from console.billing_compare import compare
from console.organisations import known_org_id, org_id_of
from console.output import Row, print_json, print_rows
from maos.billing import Statement
from maos.billing_months import BillingMonth
from maos.errors import BadInput
from maos.statement_tables import lines_table
from tasks.billing import Closings, check_billing, close_all, close_month, closed_statements, statement_of
from tasks.files import write_whole

_LINES = ("corrects", "engine", "action", "quantity", "unit", "rate_usd", "amount_usd", "entries")
_CLOSED = ("org", "month", "statement", "entries", "total_usd", "done")
_FAULTS = ("org", "month", "run_id", "invocation_id", "fault")


@click.group()
def billing() -> None:
    """Show, export and close what organisations owe for a month; check that it adds up."""


billing.add_command(compare)


@billing.command()
@click.option("--org", required=True, help="Whose statement.")
@click.option("--month", required=True, metavar="YYYY-MM", help="Of which month, in UTC.")
@click.option("--entries", is_flag=True, help="The entries behind it, one by one, instead of its lines.")
@click.option("--format", "format_", type=click.Choice(["csv", "json", "parquet", "html"]), help="As a file.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Into this file; else printed.")
def statement(org: str, month: str, entries: bool, format_: str | None, out: Path | None) -> None:
    """Show or export the statement of a month; that of an open month has no number yet.

    \b
    Examples:
      maos billing statement --org demo --month 2026-10
      maos billing statement --org demo --month 2026-10 --format html --out october.html
      maos billing statement --org demo --month 2026-10 --entries --format parquet --out october.parquet
    """
    org_id, when = known_org_id(org), BillingMonth.read(month)
    if format_ is None and (entries or out):
        raise click.UsageError("--entries and --out need a --format")
    if format_ == "parquet" and out is None:
        raise click.UsageError("--format parquet needs --out")
    if entries and format_ == "html":
        raise BadInput("format", "html", "csv, json or parquet for entries")
    found = statement_of(org_id, when)
    if format_ is None:
        _print(found)
        return
    _export(found, org_id, format_, entries=entries, out=out)


def _export(found: Statement, org_id: UUID, format_: str, *, entries: bool, out: Path | None) -> None:
    # Here: it loads what writes files.
    from tasks.billing_export import ExportFormat, entries_bytes, entries_table, statement_bytes, write_parquet

    chosen, when = ExportFormat(format_), BillingMonth.read(found.month)
    if chosen is ExportFormat.PARQUET and out:
        table = entries_table(org_id, when) if entries else lines_table(found)
        click.echo(f"{out}: {write_parquet(table, out)} rows")
        return
    chunks = entries_bytes(org_id, when, chosen) if entries else statement_bytes(found, chosen)
    if out:
        write_whole(out, chunks)
        click.echo(f"{out}: {found.reference or 'open month'}, {found.total_usd:f} USD in {found.entries} entries")
        return
    for chunk in chunks:
        click.echo(chunk, nl=False)


def _print(found: Statement) -> None:
    what = f"statement {found.reference}" if found.reference else "open month, may change"
    rows: list[Row] = [line.model_dump() for line in found.lines]
    print_rows(rows, as_json=False, columns=_LINES, title=f"{found.org}, {found.month}: {what}")
    click.echo(f"usage {found.usage_usd:f} USD, corrections of earlier months {found.corrections_usd:f} USD")
    click.echo(f"total {found.total_usd:f} USD in {found.entries} entries; payable {found.payable_usd:f} USD")


@billing.command()
@click.option("--org", help="Only of this organisation.")
@click.option("--all", "all_", is_flag=True, help="Of every organisation that was charged anything.")
@click.option("--month", required=True, metavar="YYYY-MM", help="Up to which month, in UTC; it must have ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def close(org: str | None, all_: bool, month: str, as_json: bool) -> None:
    """Close a month, and the open months before it: number its statement and let nothing change it any more.

    What is recorded later for a closed month is billed in the next open one, as a correction. Closing again gives the
    same statement.

    \b
    Examples:
      maos billing close --org demo --month 2026-10
      maos billing close --all --month 2026-10
    """
    if bool(org) == all_:
        raise click.UsageError("give either --org or --all")
    when = BillingMonth.read(month)
    done = Closings(tuple(close_month(known_org_id(org), when)), ()) if org else close_all(when)
    before = [each for each in closed_statements(when, org_id_of(org)) if each not in done.closed]
    rows = [_closed_row(each, "closed now") for each in done.closed]
    rows += [_closed_row(each, "was closed") for each in before]
    print_rows(rows, as_json=as_json, columns=_CLOSED, title="statements")
    for refusal in done.refused:
        click.echo(f"not closed: {refusal}", err=True)
    sys.exit(1 if done.refused else 0)


def _closed_row(found: Statement, done: str) -> Row:
    return {
        "org": found.org,
        "month": found.month,
        "statement": found.reference,
        "entries": found.entries,
        "total_usd": found.total_usd,
        "digest": found.digest,
        "done": done,
    }


@billing.command()
@click.option("--org", help="Only of this organisation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(org: str | None, as_json: bool) -> None:
    """Compare every entry with its call, and every statement with its entries; exit with 1 where they differ.

    \b
    Example:
      maos billing check --org demo
    """
    found = [asdict(each) for each in check_billing(org_id_of(org))]
    if as_json:
        print_json(found)
    elif found:
        print_rows(found, as_json=False, columns=_FAULTS, title="what does not add up")
    else:
        click.echo("entries, calls and statements agree")
    sys.exit(1 if found else 0)
