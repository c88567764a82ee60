"""Measures what the columns of an open table hold."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from maos.datasets import LONGEST_EXAMPLE, ColumnFacts, ColumnKind, kind_of
from maos.figures import plain
from maos.labels import printable
from maos.readings import PLAIN
from tasks.conventions import Convention, PlainCounts, conventions_of, measure
from tasks.readings import date_of, number_of
from tasks.tables import Table

_BOOLEANS = "('true', 'false', 'yes', 'no', 't', 'f', 'y', 'n')"


class _Range(NamedTuple):
    minimum: Decimal | date | None
    maximum: Decimal | date | None
    whole: bool | None
    year_first: int
    examples: tuple[str | None, ...]


class _Column(NamedTuple):
    """A column with what is known of it before its range is measured."""

    name: str
    sql: str
    kind: ColumnKind
    plain: PlainCounts
    how: Convention

    @property
    def unreadable(self) -> int:
        """Values that are not of its kind."""
        read = {ColumnKind.NUMBER: self.how.numbers, ColumnKind.DATE: self.how.dates}
        return self.plain.present - read.get(self.kind, self.plain.present)


def column_facts(table: Table) -> tuple[int, tuple[ColumnFacts, ...]]:
    """Return the number of rows and what each column holds, from two passes over the data, more where it is dirty."""
    columns = [f"c{index}" for index in range(len(table.names))]
    ((rows,), *found) = measure(table, [["count(*)"], *(_counters(column) for column in columns)])
    counts = [PlainCounts(*values) for values in found]
    conventions = conventions_of(table, columns, counts)
    kinds = [
        kind_of(present=c.present, numbers=how.numbers, dates=how.dates, booleans=c.booleans)
        for c, how in zip(counts, conventions, strict=True)
    ]
    looked_at = [_Column(*known) for known in zip(table.names, columns, kinds, counts, conventions, strict=True)]
    ranges = measure(table, [_range_of(column) for column in looked_at])
    return rows, tuple(
        _facts(column, rows, _measured_range(*limits)) for column, limits in zip(looked_at, ranges, strict=True)
    )


def _counters(column: str) -> list[str]:
    return [
        f"count({column})",
        f"count(DISTINCT {column})",
        f"count({number_of(column)})",
        f"count({date_of(column)})",
        f"count(*) FILTER (WHERE lower({column}) IN {_BOOLEANS})",
    ]


def _range_of(column: _Column) -> list[str]:
    if column.kind is ColumnKind.NUMBER:
        read = number_of(column.sql, column.how.reading)
        terms = [f"min({read})", f"max({read})", f"bool_and({read} = trunc({read}))", "0"]
    elif column.kind is ColumnKind.DATE:
        read = date_of(column.sql, column.how.reading)
        # Of the plain dates these are not dotted ones.
        year_first = f"count(*) FILTER (WHERE {column.sql}[5] IN ('-', '/'))"
        terms = [f"min({read})", f"max({read})", "bool_and(NULL)", year_first]
    else:
        return ["max(NULL)", "max(NULL)", "bool_and(NULL)", "0"]
    if not column.unreadable:
        return terms
    return terms + [f"{pick}({column.sql}) FILTER (WHERE {read} IS NULL)" for pick in ("mode", "min", "max")]


def _measured_range(
    minimum: Decimal | date | None,
    maximum: Decimal | date | None,
    whole: bool | None,
    year_first: int,
    *examples: str | None,
) -> _Range:
    return _Range(minimum, maximum, whole, year_first, examples)


def _facts(column: _Column, rows: int, limits: _Range) -> ColumnFacts:
    how, is_number, is_date = column.how, column.kind is ColumnKind.NUMBER, column.kind is ColumnKind.DATE
    examples = dict.fromkeys(printable(value, LONGEST_EXAMPLE) for value in limits.examples if value is not None)
    return ColumnFacts(
        name=column.name,
        kind=column.kind,
        missing=rows - column.plain.present,
        unparsable=column.unreadable,
        distinct=column.plain.distinct,
        whole=bool(limits.whole),
        minimum=_text(limits.minimum),
        maximum=_text(limits.maximum),
        reading=how.reading if (is_number or is_date) and how.reading != PLAIN else None,
        other_format=how.other_numbers if is_number else _other_dates(how, limits) if is_date else 0,
        ambiguous=how.ambiguous_numbers if is_number else how.ambiguous_dates if is_date else 0,
        other_currency=how.other_currency if is_number else 0,
        examples=tuple(examples),
    )


def _other_dates(how: Convention, limits: _Range) -> int:
    if how.reading.date_order is not None:
        return how.other_dates
    return min(limits.year_first, how.dates - limits.year_first)


def _text(value: Decimal | date | None) -> str | None:
    if isinstance(value, date):
        return value.isoformat()
    return None if value is None else f"{plain(value):f}"
