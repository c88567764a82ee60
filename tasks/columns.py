"""Measures what the columns of an open table hold."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from maos.datasets import ColumnFacts, ColumnKind, kind_of
from maos.figures import plain
from tasks.tables import Table

# Guards of a pattern are three times faster than failing casts, and refuse what only the engine calls a number or date.
_NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?"
# A year outside two centuries either way is a slip of the pen, and would stretch a trend beyond use.
_YEAR = r"(1[89]|2[01])[0-9]{2}"
_DAY = _YEAR + r"[-/][0-9]{1,2}[-/][0-9]{1,2}([ T].*)?"
_MONTH = _YEAR + r"-[0-9]{2}"
_DOTTED_DAY = r"[0-9]{1,2}\.[0-9]{1,2}\." + _YEAR
# Columns that are counted in one pass: the engine groups by no more than 63 at once.
_BATCH = 40
_BOOLEANS = "('true', 'false', 'yes', 'no', 't', 'f', 'y', 'n')"


def number_of(column: str) -> str:
    """Return the SQL that reads a text column as numbers, null where a value is none.

    18 digits before the point: the sum of ten billion of them still fits into 38.
    """
    return f"CASE WHEN regexp_full_match({column}, '{_NUMBER}') THEN TRY_CAST({column} AS DECIMAL(28, 10)) END"


def date_of(column: str) -> str:
    """Return the SQL that reads a text column as dates, null where a value is none."""
    return (
        f"CASE WHEN regexp_full_match({column}, '{_DAY}') THEN TRY_CAST(TRY_CAST({column} AS TIMESTAMP) AS DATE)"
        f" WHEN regexp_full_match({column}, '{_MONTH}') THEN TRY_CAST({column} || '-01' AS DATE)"
        f" WHEN regexp_full_match({column}, '{_DOTTED_DAY}') THEN TRY_CAST(try_strptime({column}, '%d.%m.%Y') AS DATE)"
        " END"
    )


class _Counts(NamedTuple):
    present: int = 0
    distinct: int = 0
    numbers: int = 0
    dates: int = 0
    booleans: int = 0
    lowest: Decimal | None = None
    highest: Decimal | None = None
    whole: bool | None = None
    first: date | None = None
    last: date | None = None


def column_facts(table: Table) -> tuple[int, tuple[ColumnFacts, ...]]:
    """Return the number of rows and what each column holds.

    Different values are counted first, as they lie in the file, and each is read once; only where two of them can have
    the same text, since a blank was trimmed, are the texts themselves counted.
    """
    raw = [f"r{index}" for index in range(len(table.names))]
    rows, trimmed, counts = _measure(table, "raw", raw, table.texts)
    if trimmed:
        columns = [f"c{index}" for index in range(len(table.names))]
        rows, _, counts = _measure(table, "data", columns, columns)
    return rows, tuple(_facts(name, rows, count) for name, count in zip(table.names, counts, strict=True))


def _measure(table: Table, view: str, columns: Sequence[str], texts: Sequence[str]) -> tuple[int, bool, list[_Counts]]:
    """Return the number of rows, whether a value differs from its text, and what is counted of each column."""
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(columns), _BATCH):
        batch = slice(start, start + _BATCH)
        found += table.connection.execute(_counting(view, columns[batch], texts[batch])).fetchall()
    rows = max((row[1] for row in found), default=0)
    counts = [_Counts(*row[3:]) for row in found] or [_Counts()] * len(columns)
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
      {_weight(f"lower(value) IN {_BOOLEANS}")},
      min(number), max(number), bool_and(number = trunc(number)), min(day), max(day)
    FROM readings GROUP BY place ORDER BY place
    """  # noqa: S608 - names of our own


def _weight(condition: str) -> str:
    return f"coalesce(sum(n) FILTER (WHERE {condition}), 0)::BIGINT"


def _facts(name: str, rows: int, counts: _Counts) -> ColumnFacts:
    kind = kind_of(present=counts.present, numbers=counts.numbers, dates=counts.dates, booleans=counts.booleans)
    parsed = {ColumnKind.NUMBER: counts.numbers, ColumnKind.DATE: counts.dates}.get(kind, counts.present)
    limits = {
        ColumnKind.NUMBER: (counts.lowest, counts.highest),
        ColumnKind.DATE: (counts.first, counts.last),
    }.get(kind, (None, None))
    return ColumnFacts(
        name=name,
        kind=kind,
        missing=rows - counts.present,
        unparsable=counts.present - parsed,
        distinct=counts.distinct,
        whole=kind is ColumnKind.NUMBER and bool(counts.whole),
        minimum=_text(limits[0]),
        maximum=_text(limits[1]),
    )


def _text(value: Decimal | date | None) -> str | None:
    if isinstance(value, date):
        return value.isoformat()
    return None if value is None else f"{plain(value):f}"
