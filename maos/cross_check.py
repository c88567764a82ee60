"""Compares the key figure of a result with its second formulation."""

from decimal import Decimal

from maos.analysis import CrossCheck, KeyIs, WrittenQuery
from maos.figures import NO_FIGURE, shown
from maos.labels import heading, phrase

# Binary fractions that are added up in another order differ in their last digits.
_TOLERANCE = Decimal("1e-9")


def compared(query: WrittenQuery, *, value: Decimal | None, check: Decimal | None) -> CrossCheck:
    """Say whether both formulations give the same figure, or both none."""
    agrees = value is check if value is None or check is None else _same(value, check)
    return CrossCheck(label=_label(query), value=value, check=check, agrees=agrees)


def _same(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= max(abs(one), abs(other)) * _TOLERANCE


def _label(query: WrittenQuery) -> str:
    if query.key_is is KeyIs.ROW_COUNT:
        return "Rows of the result"
    if query.key_is is KeyIs.SUM:
        return f"Sum of {phrase(query.key_column)}"
    return heading(query.key_column)


def verdict(check: CrossCheck) -> str:
    """Return in a sentence what the cross-check found."""
    if check.agrees:
        return f"A second formulation of the question gave the same key figure: {_told(check.value)}."
    return (
        f"A second formulation of the question DISAGREES: {phrase(check.label)} is {_told(check.value)} by the query"
        f" and {_told(check.check)} by the second formulation, so that the answer is unproven."
    )


def _told(value: Decimal | None) -> str:
    return NO_FIGURE if value is None else shown(value)
