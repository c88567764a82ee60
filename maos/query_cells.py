"""Values of a result as they are kept: exact, as text."""

import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from maos.analysis import LONGEST_CELL
from maos.datasets import ColumnKind
from maos.figures import plain
from maos.labels import printable

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
# More digits of a binary fraction would be noise.
_SIGNIFICANT = 12


def is_number_type(type_: str) -> bool:
    """Say whether values of a type of the query engine are numbers."""
    return type_.upper().startswith(_NUMBERS)


def kind_of_column(type_: str, values: Sequence[object]) -> ColumnKind:
    """Return what a column of a result holds, by its type and, for times, by its values."""
    if is_number_type(type_):
        return ColumnKind.NUMBER
    if type_.upper() == "BOOLEAN":
        return ColumnKind.BOOLEAN
    times = [value for value in values if value is not None]
    return ColumnKind.DATE if times and all(_is_day(value) for value in times) else ColumnKind.TEXT


def cell_of(value: object) -> str | None:
    """Return a value as text: numbers plain, days as 2025-03-31, without anything that cannot be seen."""
    if value is None or isinstance(value, bool):
        return None if value is None else ("yes" if value else "no")
    if (number := number_in(value)) is not None:
        return f"{number:f}"
    if isinstance(value, float):
        # Neither infinity nor what is no number can be kept as one.
        return None
    if isinstance(value, datetime):
        return value.date().isoformat() if _is_day(value) else value.isoformat(sep=" ", timespec="seconds")
    return value.isoformat() if isinstance(value, date) else printable(str(value), LONGEST_CELL)


def number_in(value: object) -> Decimal | None:
    """Return a value as an exact number, or nothing where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return None
    return plain(Decimal(f"{value:.{_SIGNIFICANT}g}") if isinstance(value, float) else Decimal(value))


def _is_day(value: object) -> bool:
    if isinstance(value, datetime):
        return (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
    return isinstance(value, date)
