"""Measures what the columns of an open table hold."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from maos.datasets import LONGEST_EXAMPLE, ColumnFacts, ColumnKind, kind_of
from maos.figures import plain
from maos.labels import printable
from maos.readings import PLAIN
from tasks.conventions import Convention, conventions_of, measure
from tasks.readings import date_of, number_of
from tasks.tables import Table
from tasks.value_counts import PlainCounts, plain_counts


class _Range(NamedTuple):
    minimum: Decimal | date | None = None
    maximum: Decimal | date | None = None
    whole: bool | None = None
    examples: tuple[str, ...] = ()


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

    @property
    def is_plain(self) -> bool:
        """Whether the plain patterns have read all that there is to be read of it."""
        is_read = self.kind in {ColumnKind.NUMBER, ColumnKind.DATE}
        return not is_read or (self.how.reading == PLAIN and not self.unreadable)

    @property
    def plain_range(self) -> _Range:
        """From where to where it goes by the plain patterns."""
        counts = self.plain
        if self.kind is ColumnKind.NUMBER:
            return _Range(counts.lowest, counts.highest, counts.whole)
        return _Range(counts.first, counts.last) if self.kind is ColumnKind.DATE else _Range()


def column_facts(table: Table) -> tuple[int, tuple[ColumnFacts, ...]]:
    """Return the number of rows and what each column holds, from one pass over the data, more where it is dirty."""
    columns = [f"c{index}" for index in range(len(table.names))]
    rows, counts = plain_counts(table)
    conventions = conventions_of(table, columns, counts)
    kinds = [
        kind_of(present=c.present, numbers=how.numbers, dates=how.dates, booleans=c.booleans)
        for c, how in zip(counts, conventions, strict=True)
    ]
    known = [_Column(*each) for each in zip(table.names, columns, kinds, counts, conventions, strict=True)]
    measured = iter(measure(table, [_range_of(column) for column in known if not column.is_plain]))
    return rows, tuple(
        _facts(column, rows, column.plain_range if column.is_plain else _measured_range(*next(measured)))
        for column in known
    )


def _range_of(column: _Column) -> list[str]:
    if column.kind is ColumnKind.NUMBER:
        read = number_of(column.sql, column.how.reading)
        terms = [f"min({read})", f"max({read})", f"bool_and({read} = trunc({read}))"]
    else:
        read = date_of(column.sql, column.how.reading)
        terms = [f"min({read})", f"max({read})", "bool_and(NULL)"]
    if not column.unreadable:
        return terms
    return terms + [f"{pick}({column.sql}) FILTER (WHERE {read} IS NULL)" for pick in ("mode", "min", "max")]


def _measured_range(
    minimum: Decimal | date | None, maximum: Decimal | date | None, whole: bool | None, *examples: str | None
) -> _Range:
    shown = dict.fromkeys(printable(value, LONGEST_EXAMPLE) for value in examples if value is not None)
    return _Range(minimum, maximum, whole, tuple(shown))


def _facts(column: _Column, rows: int, limits: _Range) -> ColumnFacts:
    how, is_number, is_date = column.how, column.kind is ColumnKind.NUMBER, column.kind is ColumnKind.DATE
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
        other_format=how.other_numbers if is_number else _other_dates(column) if is_date else 0,
        ambiguous=how.ambiguous_numbers if is_number else how.ambiguous_dates if is_date else 0,
        other_currency=how.other_currency if is_number else 0,
        examples=limits.examples,
    )


def _other_dates(column: _Column) -> int:
    how = column.how
    if how.reading.date_order is not None:
        return how.other_dates
    # Of the plain dates those without the year before them are dotted ones.
    return min(column.plain.year_first, how.dates - column.plain.year_first)


def _text(value: Decimal | date | None) -> str | None:
    if isinstance(value, date):
        return value.isoformat()
    return None if value is None else f"{plain(value):f}"
