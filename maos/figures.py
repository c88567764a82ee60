"""Exact numbers: how they are kept, computed and shown."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import reduce
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer

# Sums of 38-digit numbers must not be rounded by the default context of 28 digits.
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_PERCENT_STEP = Decimal("0.01")
_MEAN_STEP = Decimal("0.000001")
NO_FIGURE = "\N{EM DASH}"


def plain(value: Decimal) -> Decimal:
    """Return the number without trailing zeros or exponent."""
    text = f"{value:f}"
    stripped = text.rstrip("0").rstrip(".") if "." in text else text
    return Decimal("0") if stripped in {"", "-", "-0"} else Decimal(stripped)


Figure = Annotated[
    Decimal, AfterValidator(plain), PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json")
]


def percent_of(part: Decimal, whole: Decimal) -> Decimal | None:
    """Return the part as a percentage with two decimals, or nothing where the whole is zero."""
    if whole == 0:
        return None
    return plain(_EXACT.quantize(_EXACT.divide(_EXACT.multiply(part, Decimal(100)), whole), _PERCENT_STEP))


def change_from(before: Decimal, after: Decimal) -> Decimal | None:
    """Return by how many percent a number changed, or nothing where it did not start above zero."""
    # From a loss or from nothing, a percentage has no meaning a reader would expect.
    return percent_of(_EXACT.subtract(after, before), before) if before > 0 else None


def added(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    return plain(reduce(_EXACT.add, values, Decimal(0)))


def difference(before: Decimal, after: Decimal) -> Decimal:
    """Return by how much a number changed."""
    return plain(_EXACT.subtract(after, before))


def mean_of(total: Decimal, count: int) -> Decimal | None:
    """Return the mean with six decimals, or nothing where there is nothing to average."""
    if count == 0:
        return None
    return plain(_EXACT.quantize(_EXACT.divide(total, Decimal(count)), _MEAN_STEP))


def shown(value: Decimal) -> str:
    """Return the number for a table: whole, or with two decimals; three digits where it is small."""
    if value == value.to_integral_value():
        return f"{value:,.0f}"
    small = abs(value) < 1 and value != _at(value, 2)
    return f"{_at(value, 2 - value.adjusted() if small else 2):,f}"


def rounded(value: Decimal) -> str:
    """Return the number for a sentence: from a thousand on without decimals."""
    return f"{_at(value, 0):,f}" if abs(value) >= 1000 else shown(value)


def shown_percent(value: Decimal | None) -> str:
    """Return a percentage with one decimal, or a dash where there is none."""
    return NO_FIGURE if value is None else f"{_at(value, 1):,f}%"


def shown_change(value: Decimal | None) -> str:
    """Return a change in percent with its sign, or a dash where there is none."""
    return NO_FIGURE if value is None else f"{'+' if _at(value, 1) > 0 else ''}{_at(value, 1):,f}%"


def _at(value: Decimal, decimals: int) -> Decimal:
    cut = _EXACT.quantize(value, Decimal(1).scaleb(-decimals))
    # Minus zero would be shown with its sign.
    return abs(cut) if cut == 0 else cut
