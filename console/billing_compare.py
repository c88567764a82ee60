"""`maos billing compare`: our usage beside a vendor's own export, for operators."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from console.output import Row, print_json, print_rows
from maos.billing_months import BillingMonth
from maos.errors import BadInput
from maos.usage_comparison import Difference
from maos.vendor_usage import chosen_form
from tasks.vendor_usage import Compared
from tasks.vendor_usage import compare as compare_usage

_DIFFERENCES = ("day", "model", "measure", "ours", "vendors", "difference")
_FAULTS = ("line", "reason")


@click.command()
@click.option(
    "--vendor-csv",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The export.",
)
@click.option("--month", required=True, metavar="YYYY-MM", help="Which month; other rows of the file are left out.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="Where a thing stands; repeatable.")
@click.option("--model", "models", multiple=True, metavar="THEIRS=OURS", help="A model by another name; repeatable.")
@click.option("--prefix", default="", help="With --column: only models whose names begin so.")
@click.option("--timezone", help="With --column: whose days the export counts by; else UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    file: Path,
    month: str,
    columns: tuple[str, ...],
    models: tuple[str, ...],
    prefix: str,
    timezone: str | None,
    as_json: bool,
) -> None:
    """Compare a vendor's own usage export with the calls of all organisations; exit with 1 where they differ.

    The exports of the vendors' consoles are known by their columns. Another is described with --column: date, model,
    and any of input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, list_cost_usd; what stands in
    several columns is given several times.

    \b
    Examples:
      maos billing compare --vendor-csv usage.csv --month 2026-10
      maos billing compare --vendor-csv other.csv --month 2026-10 \\
        --column date=Day --column model=Model --column list_cost_usd=Cost
    """
    if not columns and (prefix or timezone):
        raise click.UsageError("--prefix and --timezone describe an export: give --column")
    form = chosen_form(_grouped(columns), prefix=prefix, timezone=timezone)
    found = compare_usage(file, BillingMonth.read(month), form, dict(_pair(each, "model") for each in models))
    if as_json:
        print_json(_facts(found))
    else:
        _print(found)
    sys.exit(0 if found.agree else 1)


def _grouped(columns: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, tuple[str, ...]] = {}
    for field, column in (_pair(each, "column") for each in columns):
        grouped[field] = (*grouped.get(field, ()), column)
    return grouped


def _pair(text: str, field: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise BadInput(field, text, "two names with = between them")
    return name, value


def _facts(found: Compared) -> Row:
    return {
        "rows": found.rows,
        "rows_of_other_services": found.other_services,
        "rows_of_other_months": found.other_months,
        "calls_without_usage": found.calls_without_usage,
        "unreadable": found.unreadable,
        "unreadable_lines": [asdict(fault) for fault in found.faults],
        "differences": [_row(each) for each in found.differences],
    }


def _row(each: Difference) -> Row:
    return {**asdict(each), "day": each.day.isoformat(), "measure": each.measure.value, "difference": each.difference}


def _print(found: Compared) -> None:
    if found.faults:
        print_rows([asdict(each) for each in found.faults], as_json=False, columns=_FAULTS, title="lines not read")
    rows = [_row(each) for each in found.differences]
    print_rows(rows, as_json=False, columns=_DIFFERENCES, title="differences")
    click.echo(
        f"{found.rows} rows compared, {found.unreadable} lines not read; {found.other_services} rows of other services "
        f"and {found.other_months} of other months left out"
    )
    if found.calls_without_usage:
        click.echo(f"{found.calls_without_usage} calls were charged without known usage; the vendor may count them")
