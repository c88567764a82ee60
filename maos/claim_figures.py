"""Finds the numbers in a text, in the way in which its language writes them."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from pydantic import BaseModel, ConfigDict

from maos.claim_language import HABITS
from maos.content_brief import Language

# Rounding to thousands or millions may not move a number further than this.
_COARSEST = Decimal("0.05")
_CURRENCIES = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD", "us$": "USD", "dollar": "USD",
    "dollars": "USD", "dólares": "USD", "dollari": "USD", "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP",
    "chf": "CHF", "franken": "CHF", "francs": "CHF", "¥": "JPY", "jpy": "JPY", "yen": "JPY",
}  # fmt: skip
_PERCENT = r"%|percent\b|per\ cent\b|prozent\b|pour\ cent\b|por\ ciento\b|per\ cento\b"
_PERCENT_UNIT = "%"


class StatedFigure(BaseModel):
    """A number as a text states it."""

    model_config = ConfigDict(frozen=True)

    text: str
    value: Decimal
    # Half of its last digit's place: what rounding can hide.
    tolerance: Decimal
    scaled: bool
    unit: str

    @property
    def may_be_year(self) -> bool:
        """Whether it can as well be a year."""
        return re.fullmatch(r"(?:1[5-9]|20|21)[0-9]{2}", self.text) is not None

    def supported_by(self, given: "StatedFigure") -> bool:
        """Say whether another figure says the same: in the same unit, and rounded at most."""
        percents = _PERCENT_UNIT in {self.unit, given.unit}
        if self.unit != given.unit and (percents or self.unit):
            return False
        distance = abs(given.value - self.value)
        if self.value == 0 or (self.scaled and distance > abs(given.value) * _COARSEST):
            return distance == 0
        return distance <= self.tolerance


def figures_in(text: str, language: Language) -> Iterator[StatedFigure]:
    """Yield each number of a text, be it in digits or a word."""
    for match in _pattern(language).finditer(text):
        yield _figure(match, language)


def without_figures(text: str, language: Language, *, mark: str = "0 ") -> str:
    """Return a text with a mark in the place of each of its numbers."""
    return _pattern(language).sub(mark, text)


def unreadable_in(text: str) -> list[str]:
    """Return what holds digits in a text without its numbers: none that its language writes in this way."""
    return [word for word in text.split() if any(char.isdigit() for char in word) and word.strip("(),.;:!?") != "0"]


def _figure(match: re.Match[str], language: Language) -> StatedFigure:
    habits = HABITS[language]
    scales = habits.scales | habits.short_scales
    scale = scales.get((match["scale"] or "").strip(" -\u00a0\u202f").rstrip(".").lower(), 0)
    if match["word"]:
        value, decimals = Decimal(habits.numbers[match["word"].lower()]), 0
    else:
        digits = "".join(char for char in match["digits"] if char.isdigit() or char == habits.decimal)
        value = Decimal(digits.replace(habits.decimal, "."))
        decimals = len(digits.partition(habits.decimal)[2])
    return StatedFigure(
        text=match.group().strip(),
        value=value.scaleb(scale),
        tolerance=Decimal(5).scaleb(scale - decimals - 1),
        scaled=scale > 0,
        unit=_unit(match),
    )


def _unit(match: re.Match[str]) -> str:
    if match["percent"]:
        return _PERCENT_UNIT
    sign = (match["before"] or match["after"] or "").strip().lower()
    return _CURRENCIES.get(sign, "")


@cache
def _pattern(language: Language) -> re.Pattern[str]:
    habits = HABITS[language]
    groups, decimal = re.escape(habits.groups), re.escape(habits.decimal)
    scales = "|".join(sorted(map(re.escape, habits.scales), key=len, reverse=True))
    short = "|".join(habits.short_scales)
    words = "|".join(sorted(map(re.escape, habits.numbers), key=len, reverse=True))
    signs = "|".join(sorted(map(re.escape, _CURRENCIES), key=len, reverse=True))
    return re.compile(
        rf"""
        (?<![\w.,])(?<![^\W\d_]-)
        (?:(?P<before>{signs})\s?)?
        (?:(?P<digits>[0-9]{{1,3}}(?:[{groups}][0-9]{{3}})+(?![0-9])(?:{decimal}[0-9]+)?|[0-9]+(?:{decimal}[0-9]+)?)
          |(?P<word>(?:{words})\b))
        (?P<scale>(?:[\s-]?(?:{scales})|(?:{short}))(?![^\W_])\.?)?
        (?:[\s-]?(?P<percent>{_PERCENT})|\s?(?:(?:de|d'|di)\s?)?(?P<after>{signs})(?![^\W_]))?
        (?![0-9]|[.,'\u2019][0-9])
        """,
        re.VERBOSE | re.IGNORECASE,
    )
