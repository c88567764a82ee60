"""Measures what the columns of an open table hold."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
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
    present: int
    distinct: int
    numbers: int
    dates: int
    booleans: int


class _Range(NamedTuple):
    minimum: Decimal | date | None
    maximum: Decimal | date | None
    whole: bool | None


def column_facts(table: Table) -> tuple[int, tuple[ColumnFacts, ...]]:
    """Return the number of rows and what each column holds, from two passes over the data."""
    columns = [f"c{index}" for index in range(len(table.names))]
    ((rows,), *found) = _measure(table, [["count(*)"], *(_counters(column) for column in columns)])
    counts = [_Counts(*values) for values in found]
    kinds = [kind_of(present=c.present, numbers=c.numbers, dates=c.dates, booleans=c.booleans) for c in counts]
    ranges = _measure(table, [_range_of(column, kind) for column, kind in zip(columns, kinds, strict=True)])
    return rows, tuple(
        _facts(name, rows, kind, count, _Range(*limits))
        for name, kind, count, limits in zip(table.names, kinds, counts, ranges, strict=True)
    )


def _counters(column: str) -> list[str]:
    return [
        f"count({column})",
        f"count(DISTINCT {column})",
        f"count({number_of(column)})",
        f"count({date_of(column)})",
        f"count(*) FILTER (WHERE lower({column}) IN {_BOOLEANS})",
    ]


def _range_of(column: str, kind: ColumnKind) -> list[str]:
    if kind is ColumnKind.NUMBER:
        number = number_of(column)
        return [f"min({number})", f"max({number})", f"bool_and({number} = trunc({number}))"]
    if kind is ColumnKind.DATE:
        return [f"min({date_of(column)})", f"max({date_of(column)})", "bool_and(NULL)"]
    return ["max(NULL)", "max(NULL)", "bool_and(NULL)"]


def _measure(table: Table, terms: Sequence[Sequence[str]]) -> list[tuple[Any, ...]]:
    """Evaluate groups of aggregates in one pass, and return their values in the same groups."""
    flat = ", ".join(term for group in terms for term in group)
    values = iter(table.connection.execute(f"SELECT {flat} FROM data").fetchall()[0])  # noqa: S608 - no outside text
    return [tuple(islice(values, len(group))) for group in terms]


def _facts(name: str, rows: int, kind: ColumnKind, counts: _Counts, limits: _Range) -> ColumnFacts:
    parsed = {ColumnKind.NUMBER: counts.numbers, ColumnKind.DATE: counts.dates}.get(kind, counts.present)
    return ColumnFacts(
        name=name,
        kind=kind,
        missing=rows - counts.present,
        unparsable=counts.present - parsed,
        distinct=counts.distinct,
        whole=bool(limits.whole),
        minimum=_text(limits.minimum),
        maximum=_text(limits.maximum),
    )


def _text(value: Decimal | date | None) -> str | None:
    if isinstance(value, date):
        return value.isoformat()
    return None if value is None else f"{plain(value):f}"
