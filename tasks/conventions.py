"""Finds out how the values of columns are written, where the plain patterns do not read them all."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from maos.readings import (
    PLAIN,
    DateEvidence,
    DateOrder,
    DecimalSign,
    NumberEvidence,
    Reading,
    date_reading,
    number_reading,
)
from tasks import readings
from tasks.readings import date_of, matches, number_of
from tasks.tables import Table
from tasks.value_counts import PlainCounts

# A column is looked at closely where a tenth of these first rows, or of all its plain values, are numbers or dates:
# it becomes one where nine of ten are, and a column of names need not pay for patterns that it never fits.
_GLANCE = 20_000
_LIKELY_PERCENT = 10
_NONE = "count(NULL)"


class Convention(NamedTuple):
    """How the values of a column are read, and what that leaves to be said."""

    reading: Reading
    numbers: int
    dates: int
    # Numbers or dates that are written unlike most of the column.
    other_numbers: int = 0
    other_dates: int = 0
    ambiguous_numbers: int = 0
    ambiguous_dates: int = 0
    other_currency: int = 0


class _Glance(NamedTuple):
    """What the first rows of a column look like."""

    present: int
    numbers: int
    dates: int
    point: int
    ambiguous: int


def conventions_of(table: Table, columns: Sequence[str], plain: Sequence[PlainCounts]) -> list[Convention]:
    """Return how each column is read, by all its values."""
    terms = [_glance(column, counts) for column, counts in zip(columns, plain, strict=True)]
    glances = [_Glance(*values) for values in measure(table, terms, most=_GLANCE)]
    numeric = [_may_be_numbers(counts, glance) for counts, glance in zip(plain, glances, strict=True)]
    dated = [_may_be_dates(counts, glance) for counts, glance in zip(plain, glances, strict=True)]
    found_numbers = _number_evidence(table, [column for column, asked in zip(columns, numeric, strict=True) if asked])
    found_dates = _date_evidence(table, [column for column, asked in zip(columns, dated, strict=True) if asked])
    signs: set[DecimalSign] = {found.sign for found in found_numbers.values() if found.sign}
    plainly = (glance.point for glance, counts in zip(glances, plain, strict=True) if counts.numbers == counts.present)
    signs |= {"."} if any(plainly) else set()
    orders = {found.order for found in found_dates.values() if found.order}
    asked = [_Asked(column, found_numbers.get(column), found_dates.get(column), signs, orders) for column in columns]
    counted = iter(measure(table, [each.counters() for each in asked if each.is_formatted]))
    return [
        each.convention(counts, next(counted) if each.is_formatted else ())
        for each, counts in zip(asked, plain, strict=True)
    ]


class _Asked:
    """A column, with what was found of it."""

    def __init__(
        self,
        column: str,
        numbers: NumberEvidence | None,
        dates: DateEvidence | None,
        signs: set[DecimalSign],
        orders: set[DateOrder],
    ) -> None:
        self._column = column
        self._numbers, self._dates = numbers, dates
        written = number_reading(numbers, signs) if numbers else PLAIN
        self._reading = written.model_copy(
            update={"date_order": date_reading(dates, orders).date_order if dates else None}
        )

    @property
    def is_formatted(self) -> bool:
        """Whether the plain patterns do not suffice."""
        return self._reading != PLAIN

    def counters(self) -> list[str]:
        """Return what is counted once it is known how the column is read."""
        return [*_number_counters(self._column, self._reading), *_date_counters(self._column, self._reading)]

    def convention(self, plain: PlainCounts, counted: Sequence[Any]) -> Convention:
        """Return how the column is read."""
        unsettled = self._numbers.uncertain if self._numbers else 0
        if not counted:
            return Convention(PLAIN, plain.numbers, plain.dates, ambiguous_numbers=unsettled)
        numbers, other_numbers, other_currency, dates, *families = counted
        return Convention(
            reading=self._reading,
            numbers=numbers,
            dates=dates,
            other_numbers=other_numbers,
            other_dates=dates - max(families),
            ambiguous_numbers=unsettled,
            ambiguous_dates=self._dates.uncertain if self._dates else 0,
            other_currency=other_currency,
        )


def _any_body(column: str) -> str:
    return readings.body_of(column, *readings.CURRENCIES)


def _glance(column: str, plain: PlainCounts) -> list[str]:
    if plain.present in (plain.dates, plain.booleans):
        return [_NONE] * len(_Glance._fields)
    number, ambiguous = matches(column, readings.PLAIN_NUMBER), matches(column, readings.AMBIGUOUS_PLAIN)
    signs = [
        f"count(*) FILTER (WHERE {number} AND contains({column}, '.') AND NOT {ambiguous})",
        f"count(*) FILTER (WHERE {ambiguous})",
    ]
    if plain.numbers == plain.present:
        return [_NONE, _NONE, _NONE, *signs]
    day = "|".join((readings.YEAR_FIRST, readings.DOTTED_DAY, readings.SLASHED_DAY, readings.NAMED_DAY))
    return [
        f"count({column})",
        f"count(*) FILTER (WHERE {number} OR {matches(_any_body(column), readings.ANY_NUMBER)})",
        f"count(*) FILTER (WHERE {matches(column, day)})",
        *signs,
    ]


def _may_be_numbers(plain: PlainCounts, glance: _Glance) -> bool:
    if plain.numbers == plain.present:
        # All are plain, which settles it but for numbers like `1.234` alone.
        return glance.ambiguous > 0 and glance.point == 0
    return _likely(plain.numbers, plain.present) or _likely(glance.numbers, glance.present)


def _may_be_dates(plain: PlainCounts, glance: _Glance) -> bool:
    if plain.dates == plain.present:
        return False
    return _likely(plain.dates, plain.present) or _likely(glance.dates, glance.present)


def _likely(count: int, of: int) -> bool:
    return count > 0 and count * 100 >= of * _LIKELY_PERCENT


def _number_evidence(table: Table, columns: Sequence[str]) -> dict[str, NumberEvidence]:
    found = measure(table, [_number_signs(column) for column in columns])
    return {
        column: NumberEvidence(
            formatted=formatted,
            point=point,
            comma=comma,
            ambiguous=ambiguous,
            currencies=dict(zip(readings.CURRENCIES, currencies, strict=True)),
        )
        for column, (formatted, point, comma, ambiguous, *currencies) in zip(columns, found, strict=True)
    }


def _number_signs(column: str) -> list[str]:
    plain = matches(column, readings.PLAIN_NUMBER)
    # The long pattern is for what the plain one does not read.
    body = f"CASE WHEN NOT {plain} THEN {_any_body(column)} END"
    number = matches(body, readings.ANY_NUMBER)
    unsure = matches(column, readings.AMBIGUOUS_PLAIN)
    point = f"{plain} AND contains({column}, '.') AND NOT {unsure}"
    return [
        f"count(*) FILTER (WHERE {number})",
        f"count(*) FILTER (WHERE ({point}) OR {matches(body, readings.only('.'))})",
        f"count(*) FILTER (WHERE {matches(body, readings.only(','))})",
        f"count(*) FILTER (WHERE {unsure} OR {matches(body, readings.AMBIGUOUS)})",
        *(
            f"count(*) FILTER (WHERE {number} AND regexp_matches({column}, '{name}'))"
            for name in readings.CURRENCIES.values()
        ),
    ]


def _date_evidence(table: Table, columns: Sequence[str]) -> dict[str, DateEvidence]:
    fields = ("day_first", "month_first", "ambiguous", "others")
    found = measure(table, [_date_orders(column) for column in columns])
    return {
        column: DateEvidence(**dict(zip(fields, values, strict=True)))
        for column, values in zip(columns, found, strict=True)
    }


def _date_orders(column: str) -> list[str]:
    slashed, named = matches(column, readings.SLASHED_DAY), matches(column, readings.NAMED_DAY)
    first, second = (readings.slashed_part(column, part) for part in (1, 2))
    both = f"{first} <= 12 AND {second} <= 12"
    return [
        f"count(*) FILTER (WHERE {slashed} AND {first} > 12 AND {second} <= 12)",
        f"count(*) FILTER (WHERE {slashed} AND {second} > 12 AND {first} <= 12)",
        f"count(*) FILTER (WHERE {slashed} AND {both} AND {first} <> {second})",
        f"count(*) FILTER (WHERE {named} OR ({slashed} AND {both} AND {first} = {second}))",
    ]


def _number_counters(column: str, reading: Reading) -> list[str]:
    number = number_of(column, reading)
    if reading.decimal is None:
        return [f"count({number})", _NONE, _NONE]
    unlike = matches(_any_body(column), readings.only(readings.other_sign(reading.decimal)))
    foreign = matches(_any_body(column), readings.ANY_NUMBER)
    return [
        f"count({number})",
        f"count({number}) FILTER (WHERE {unlike})",
        f"count(*) FILTER (WHERE {number} IS NULL AND {foreign} AND {_has_currency(column)})",
    ]


def _has_currency(column: str) -> str:
    return f"regexp_matches({column}, '{'|'.join(readings.CURRENCIES.values())}')"


def _date_counters(column: str, reading: Reading) -> list[str]:
    day = date_of(column, reading)
    slashed = matches(column, readings.SLASHED_DAY)
    other = f"{readings.slashed_part(column, 1 if reading.date_order is DateOrder.MONTH_FIRST else 2)} > 12"
    families = (
        matches(column, f"{readings.YEAR_FIRST}|{readings.YEAR_AND_MONTH}"),
        matches(column, readings.DOTTED_DAY),
        f"{slashed} AND NOT {other}",
        f"{slashed} AND {other}",
        matches(column, readings.NAMED_DAY),
    )
    return [f"count({day})", *(f"count({day}) FILTER (WHERE {family})" for family in families)]


def measure(table: Table, terms: Sequence[Sequence[str]], *, most: int | None = None) -> list[tuple[Any, ...]]:
    """Evaluate groups of aggregates in one pass, and return their values in the same groups.

    Args:
        most: look at the first rows only.
    """
    flat = ", ".join(term for group in terms for term in group)
    if not flat:
        return []
    some = "" if most is None else f"LIMIT {most}"
    found = table.connection.execute(f"SELECT {flat} FROM (FROM data {some})").fetchall()[0]  # noqa: S608 - no outside text
    values = iter(found)
    return [tuple(islice(values, len(group))) for group in terms]
