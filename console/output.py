"""Printing rows: as a table for people, as JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import click
from rich.console import Console
from rich.table import Table

from maos.visible import visible

_COLOURS = {
    "completed": "green",
    "approved": "green",
    "failed": "red",
    "rejected": "red",
    "paused": "yellow",
    "pending": "yellow",
    "running": "cyan",
    "executing": "cyan",
    "runs": "green",
    "waits": "yellow",
    "high": "dark_orange",
    "critical": "red",
}

RISK_COLOURS = {"low": "green", "medium": "yellow", "high": "dark_orange", "critical": "bold red"}

_WIDTH_OF_FILES = 200
# A cut id or address cannot be used for the next command.
_NEVER_CUT = frozenset({"id", "run_id", "step", "step_id", "status"})

_NUMBERS = frozenset(
    {
        "seconds",
        "tokens",
        "cost_usd",
        "ceiling_usd",
        "latency_ms",
        "above_prompt_tokens",
        "usd_per_million",
        "counted_usd",
        "now_usd",
        "difference",
        "limit",
        "spent",
        "reserved",
        "left",
        "calls",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "usd",
        "quantity",
        "rate_usd",
        "amount_usd",
        "total_usd",
        "entries",
        "ours",
        "vendors",
    }
)

Row = Mapping[str, object]


def console() -> Console:
    """Return the console that tables are printed on; into a pipe or a file it is wide enough for all of them."""
    found = Console()
    return found if found.is_terminal else Console(width=_WIDTH_OF_FILES)


def at_terminal() -> bool:
    """Say whether somebody can be asked."""
    return sys.stdin.isatty()


def print_rows(rows: Sequence[Row], *, as_json: bool, columns: Sequence[str], title: str = "") -> None:
    """Print rows: all their columns as JSON, or some of them as a table."""
    if as_json:
        print_json([dict(row) for row in rows])
        return
    console().print(table_of(rows, columns=columns, title=title) if rows else f"{title or 'rows'}: none")


def print_json(value: object) -> None:
    """Print a value as JSON; money and times as text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def table_of(rows: Iterable[Row], *, columns: Sequence[str], title: str = "") -> Table:
    """Return a table with these columns."""
    table = Table(title=title or None, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=column in _NEVER_CUT)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = visible(_plain(value)) if not isinstance(value, datetime) else f"{value:%Y-%m-%d %H:%M:%S}"
    colour = _COLOURS.get(text)
    # Brackets of a value must not be read as markup.
    escaped = text.replace("[", r"\[")
    return f"[{colour}]{escaped}[/]" if colour else escaped


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)
