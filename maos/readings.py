"""How the numbers and dates of a column are written, and how a column's way is told from its values."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DecimalSign = Literal[".", ","]


class DateOrder(StrEnum):
    """What comes first in a date like 03/04/2025."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"


class Reading(BaseModel):
    """How values are read that are no plain numbers (`-1234.56`) or dates (`2025-03-04`, `04.03.2025`)."""

    model_config = ConfigDict(frozen=True)

    decimal: DecimalSign | None = Field(default=None, description="Decimal sign; nothing where all numbers are plain.")
    currency: str | None = Field(default=None, description="Code of the currency that its numbers may carry.")
    date_order: DateOrder | None = Field(default=None, description="Order of dates with slashes; nothing for others.")


PLAIN = Reading()


class NumberEvidence(BaseModel):
    """How often the values of a column are written as numbers in which way."""

    model_config = ConfigDict(frozen=True)

    formatted: int = Field(description="Numbers that are not plain.")
    point: int = Field(description="Numbers whose decimal sign can only be a point.")
    comma: int = Field(description="Numbers whose decimal sign can only be a comma.")
    ambiguous: int = Field(description="Numbers like `1.234` or `1,234`, in which the sign may be either.")
    currencies: Mapping[str, int] = Field(default={}, description="Numbers with a currency, by its code.")

    @property
    def sign(self) -> DecimalSign | None:
        """The decimal sign that most values show, or nothing where none does."""
        if not self.point and not self.comma:
            return None
        return "," if self.comma > self.point else "."

    @property
    def uncertain(self) -> int:
        """The ambiguous values that the others do not settle, because they show both signs or none."""
        return self.ambiguous if bool(self.point) == bool(self.comma) else 0


class DateEvidence(BaseModel):
    """How often the values of a column are written as dates that are not plain."""

    model_config = ConfigDict(frozen=True)

    day_first: int = Field(description="Dates with slashes whose first number can only be a day.")
    month_first: int = Field(description="Dates with slashes whose second number can only be a day.")
    ambiguous: int = Field(description="Dates with slashes that are another day in either order.")
    others: int = Field(description="Dates that are the same day in either order, or name their month.")

    @property
    def order(self) -> DateOrder | None:
        """The order that most values show, or nothing where none does."""
        if not self.day_first and not self.month_first:
            return None
        return DateOrder.MONTH_FIRST if self.month_first > self.day_first else DateOrder.DAY_FIRST

    @property
    def written(self) -> int:
        """All of them."""
        return self.day_first + self.month_first + self.ambiguous + self.others

    @property
    def uncertain(self) -> int:
        """The ambiguous values that the others do not settle, because they show both orders or none."""
        return self.ambiguous if bool(self.day_first) == bool(self.month_first) else 0


def number_reading(evidence: NumberEvidence, others: Iterable[DecimalSign]) -> Reading:
    """Choose how a column's numbers are read; where it shows no sign itself, as the rest of its file, if that agrees.

    Args:
        others: decimal signs that other columns of the file show.
    """
    shown = set(others)
    sign: DecimalSign = evidence.sign or ("," if shown == {","} else ".")
    if sign == "." and not evidence.formatted:
        return PLAIN
    currencies = [code for code, count in evidence.currencies.items() if count]
    # Of two currencies as frequent the first of the alphabet: the same data are always read alike.
    main = min(currencies, key=lambda code: (-evidence.currencies[code], code), default=None)
    return Reading(decimal=sign, currency=main)


def date_reading(evidence: DateEvidence, others: Iterable[DateOrder]) -> Reading:
    """Choose how a column's dates are read; where it shows no order itself, as the rest of its file, if that agrees."""
    if not evidence.written:
        return PLAIN
    only_month_first = set(others) == {DateOrder.MONTH_FIRST}
    order = evidence.order or (DateOrder.MONTH_FIRST if only_month_first else DateOrder.DAY_FIRST)
    return Reading(date_order=order)
