"""Finds the dates in a text, as exactly as they are stated."""

import re
from collections.abc import Iterator
from functools import cache

from pydantic import BaseModel, ConfigDict

from maos.claim_language import HABITS
from maos.content_brief import Language

_BEFORE_MONTHS = re.compile(
    r"\b(?:in|since|until|till|by|from|during|im|seit|bis|ab|ende|anfang|mitte|en|depuis|jusqu'en|desde|hasta|a|da|dal"
    r"|dall'|fino a)\s*$",
    re.IGNORECASE,
)


class StatedDate(BaseModel):
    """A date as a text states it: a day, a day without its year, a month with or without one."""

    model_config = ConfigDict(frozen=True)

    text: str
    year: int | None = None
    month: int
    day: int | None = None

    def supported_by(self, given: "StatedDate") -> bool:
        """Say whether another date says the same, and no less exactly."""
        stated = ((self.year, given.year), (self.month, given.month), (self.day, given.day))
        return all(mine is None or mine == other for mine, other in stated)


def dates_in(text: str, language: Language) -> Iterator[tuple[tuple[int, int], tuple[StatedDate, ...]]]:
    """Yield where each date stands, and every way in which it can be read."""
    for match in _pattern(language).finditer(text):
        if _is_bare(match) and not _BEFORE_MONTHS.search(text[: match.start()]):
            # `May` and `March` are words as well, and `set` and `mar` are.
            continue
        if readings := tuple(_readings(match, language)):
            yield match.span(), readings


def _is_bare(match: re.Match[str]) -> bool:
    return bool(match["month_first"]) and not (match["day_after"] or match["year_after"])


def _readings(match: re.Match[str], language: Language) -> Iterator[StatedDate]:
    text = match.group()
    if match["iso"]:
        yield from _valid(text, *map(int, match["iso"].split("-")))
    elif match["numeric"]:
        first, second, whole_year = map(int, re.split(r"[./]", match["numeric"]))
        # `03/04/2024` is a day in March for some, and in April for others.
        orders = {(first, second), (second, first)} if "/" in text else {(first, second)}
        for day, month in sorted(orders):
            yield from _valid(text, whole_year, month, day)
    elif named := _month(match["month"] or match["month_first"], language):
        stated_day, stated_year = match["day"] or match["day_after"], match["year"] or match["year_after"]
        yield from _valid(text, _number(stated_year), named, _number(stated_day))


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None


def _valid(text: str, year: int | None, month: int, day: int | None) -> Iterator[StatedDate]:
    if 1 <= month <= 12 and (day is None or 1 <= day <= 31):
        yield StatedDate(text=text.strip(" ."), year=year, month=month, day=day)


def _month(name: str, language: Language) -> int | None:
    known = name.lower().rstrip(".")
    return next((at for at, names in enumerate(HABITS[language].months, start=1) if known in names.split("/")), None)


@cache
def _pattern(language: Language) -> re.Pattern[str]:
    habits = HABITS[language]
    names = [name for names in habits.months for name in names.split("/")]
    months = "|".join(f"[{name[0]}{name[0].upper()}]{name[1:]}" for name in sorted(names, key=len, reverse=True))
    joint, year = habits.joints, r"(?:1[5-9]|20|21)[0-9]{2}"
    return re.compile(
        rf"""
        (?<![\w.,/-])(?:
          (?P<iso>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})
          |(?P<numeric>[0-9]{{1,2}}[./][0-9]{{1,2}}[./][0-9]{{4}})
          |(?P<day>[0-9]{{1,2}}){joint}(?P<month>{months})\b\.?(?:,?{_optional(joint)}(?P<year>{year}))?
          |(?P<month_first>{months})\b\.?(?:\s+(?P<day_after>[0-9]{{1,2}})(?:st|nd|rd|th)?(?![0-9.,:]*[0-9%]))?
             (?:,?\s+(?:del?\s+)?(?P<year_after>{year}))?
        )(?![\w/]|[.,-][0-9])
        """,
        re.VERBOSE,
    )


def _optional(joint: str) -> str:
    return rf"(?:{joint}|\s+)"
