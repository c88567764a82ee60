"""Counts what the columns of an open table hold by the plain patterns, each different value once."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from tasks.readings import date_of, number_of
from tasks.tables import Table

# Columns that are counted in one pass: the engine groups by no more than 63 at once.
_BATCH = 40
_BOOLEANS = "('true', 'false', 'yes', 'no', 't', 'f', 'y', 'n')"


class PlainCounts(NamedTuple):
    """What the plain patterns read of a column."""

    present: int = 0
    distinct: int = 0
    numbers: int = 0
    dates: int = 0
    booleans: int = 0
    # Dates with the year before the day.
    year_first: int = 0
    lowest: Decimal | None = None
    highest: Decimal | None = None
    whole: bool | None = None
    first: date | None = None
    last: date | None = None


def plain_counts(table: Table) -> tuple[int, list[PlainCounts]]:
    """Return the number of rows and what is counted of each column.

    Different values are counted first, as they lie in the file, and each is read once; only where two of them can have
    the same text, since a blank was trimmed, are the texts themselves counted.
    """
    raw = [f"r{index}" for index in range(len(table.names))]
    rows, trimmed, counts = _counted(table, "raw", raw, table.texts)
    if trimmed:
        columns = [f"c{index}" for index in range(len(table.names))]
        rows, _, counts = _counted(table, "data", columns, columns)
    return rows, counts


def _counted(
    table: Table, view: str, columns: Sequence[str], texts: Sequence[str]
) -> tuple[int, bool, list[PlainCounts]]:
    """Return the number of rows, whether a value differs from its text, and what is counted of each column."""
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(columns), _BATCH):
        batch = slice(start, start + _BATCH)
        found += table.connection.execute(_counting(view, columns[batch], texts[batch])).fetchall()
    rows = max((row[1] for row in found), default=0)
    counts = [PlainCounts(*row[3:]) for row in found] or [PlainCounts()] * len(columns)
    return rows, any(row[2] for row in found), counts


def _counting(view: str, columns: Sequence[str], texts: Sequence[str]) -> str:
    """Return the SQL that counts the values of columns, one row a column, in one pass over the data."""
    names, sets = ", ".join(columns), ", ".join(f"({column})" for column in columns)
    # Which of the columns a row is about: the bit of each but that one is set.
    place = " ".join(
        f"WHEN {2 ** len(columns) - 1 - 2 ** (len(columns) - 1 - index)} THEN {index}" for index in range(len(columns))
    )
    value = " ".join(f"WHEN {index} THEN {text}" for index, text in enumerate(texts))
    kept = " ".join(f"WHEN {index} THEN CAST({column} AS VARCHAR)" for index, column in enumerate(columns))
    return f"""
    WITH grouped AS (
      SELECT {names}, CASE grouping({names}) {place} END AS place, count(*) AS n
      FROM {view} GROUP BY GROUPING SETS ({sets})
    ), texts AS (
      SELECT place, n, CASE place {value} END AS value, CASE place {kept} END AS kept FROM grouped
    ), readings AS (
      SELECT *, {number_of("value")} AS number, {date_of("value")} AS day FROM texts
    )
    SELECT place, sum(n)::BIGINT, bool_or(value IS DISTINCT FROM kept),
      {_weight("value IS NOT NULL")}, count(value), {_weight("number IS NOT NULL")}, {_weight("day IS NOT NULL")},
      {_weight(f"lower(value) IN {_BOOLEANS}")}, {_weight("day IS NOT NULL AND value[5] IN ('-', '/')")},
      min(number), max(number), bool_and(number = trunc(number)), min(day), max(day)
    FROM readings GROUP BY place ORDER BY place
    """  # noqa: S608 - names of our own


def _weight(condition: str) -> str:
    return f"coalesce(sum(n) FILTER (WHERE {condition}), 0)::BIGINT"
