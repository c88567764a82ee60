"""`maos usage`: what was used and what it cost, by what one likes to tell apart."""

import csv
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from console.organisations import org_id_of
from console.output import Row, console, print_json, print_rows
from console.times import DATE, utc
from maos.errors import BadInput
from maos.usage_view import COUNTS, UsageDimension, UsageRow, bars_of, total_of, usage_chart
from sql.session import system_session
from sql.usage import UsageFilter, usage_by


@click.command()
@click.option("--org", help="Only this organisation's.")
@click.option(
    "--by",
    "by",
    multiple=True,
    type=click.Choice([dimension.value for dimension in UsageDimension]),
    default=(UsageDimension.ENGINE.value,),
    show_default=True,
    help="What is told apart; repeatable.",
)
@click.option("--since", type=DATE, metavar="DATE", help="Only what was settled at this time or later, in UTC.")
@click.option("--until", type=DATE, metavar="DATE", help="Only what was settled before this time, in UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--chart", is_flag=True, help="Draw what was paid, in the terminal.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file.")
def usage(
    org: str | None,
    by: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
    as_csv: bool,
    chart: bool,
    png: Path | None,
) -> None:
    """Show what was used and paid, corrections included; the sums are exact.

    A day is one of the organisation's own calendar, by the time at which a call was settled or corrected.

    \b
    Examples:
      maos usage --org demo --by agent --by engine
      maos usage --org demo --by day --since 2026-11-01 --chart
      maos usage --by org --csv > usage.csv
    """
    if as_json and as_csv:
        raise BadInput("--csv", "with --json", "one of the two")
    dimensions = tuple(dict.fromkeys(map(UsageDimension, by)))
    which = UsageFilter(org_id=org_id_of(org), since=utc(since), until=utc(until))
    with system_session() as session:
        rows = usage_by(dimensions, which, session=session)
    title = f"usage of {org or 'all organisations'} by {', '.join(dimensions)}"
    if png:
        _draw(rows, dimensions, title, png)
    if as_json:
        print_json({"by": list(dimensions), "rows": [_row(row) for row in rows], "total": _row(total_of(rows))})
    elif as_csv:
        _write_csv(rows, dimensions)
    elif chart:
        _draw_here(rows, dimensions, title)
    else:
        _print_table(rows, dimensions, title)


def _print_table(rows: Sequence[UsageRow], dimensions: Sequence[UsageDimension], title: str) -> None:
    columns = [*(dimension.value for dimension in dimensions), *COUNTS, "usd"]
    total = {dimensions[0].value: "total", **_row(total_of(rows))}
    print_rows([*map(_row, rows), total] if rows else [], as_json=False, columns=columns, title=title)


def _write_csv(rows: Sequence[UsageRow], dimensions: Sequence[UsageDimension]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    columns = [*(dimension.value for dimension in dimensions), *COUNTS, "usd"]
    writer.writerow(columns)
    writer.writerows([_safe(_row(row)[column]) for column in columns] for row in rows)


def _safe(value: object) -> str:
    # A name that begins like a formula must not become one in somebody's spreadsheet.
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()


def _draw(rows: Sequence[UsageRow], dimensions: Sequence[UsageDimension], title: str, png: Path) -> None:
    if not rows:
        raise BadInput("--png", str(png), "a time in which something was used")
    from tasks.drawing import draw

    png.write_bytes(draw(usage_chart(rows, dimensions, title=title)).png)
    click.echo(f"chart: {png}", err=True)


def _draw_here(rows: Sequence[UsageRow], dimensions: Sequence[UsageDimension], title: str) -> None:
    chart = usage_chart(rows, dimensions, title=title)
    for line in [title, *bars_of(chart, width=min(console().width, 120))] if rows else [f"{title}: none"]:
        click.echo(line)


def _row(row: UsageRow) -> Row:
    counts = {name: getattr(row, name) for name in COUNTS}
    return {**{dimension.value: value for dimension, value in row.keys.items()}, **counts, "usd": f"{row.usd:f}"}
