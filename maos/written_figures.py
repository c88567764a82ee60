"""Finds the figures in an English text, and what the words around each say of it."""

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Unit(StrEnum):
    """What a figure is counted in."""

    PLAIN = "plain"
    MONEY = "money"
    PERCENT = "percent"
    RANK = "rank"
    ORDINAL = "ordinal"
    UNKNOWN = "unknown"


class Sense(StrEnum):
    """What the words around a figure say that it is."""

    RISE = "rise"
    FALL = "fall"
    SHARE = "share"


class WrittenFigure(BaseModel):
    """A figure as a text states it."""

    model_config = ConfigDict(frozen=True)

    text: str
    value: Decimal
    tolerance: Decimal
    unit: Unit
    scaled: bool
    signed: bool
    # What the words of its own clause say, and what the sentence up to it says.
    governed: Sense | None
    suggested: Sense | None
    # Whether the words make it a difference (`up by 300`) or a level (`rose to 12%`).
    is_step: bool
    is_level: bool


_SCALES: dict[str, int] = {
    "k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6, "bn": 9, "b": 9, "billion": 9, "tn": 12, "trillion": 12,
}  # fmt: skip
_FIGURE = re.compile(
    r"""
    (?<![\w.,])                                            # not within a word or a longer number
    (?P<sign>[-+\u2212\u2013])?\s?(?P<currency>[$\u20ac\u00a3\u00a5]\s?)?
    (?P<digits>[0-9]{1,3}(?:[,\u00a0\u202f\u2009'\u2019][0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)
    (?P<scale>[ \u00a0\u202f]?(?:thousand|million|billion|trillion)\b|[ \u00a0\u202f]?(?:mn|bn|tn|k|K|M|B)\b|[mb]\b)?
    (?P<unit>\s?%|\s(?:percent|per\ cent)\b(?!age)|\s?(?:percentage\ points?|basis\ points?|pp|bps)\b
        |-?\s?(?:fold|times)\b|[xX\u00d7](?!\w)|(?:st|nd|rd|th)\b)?
    (?![\w%]|[.,'\u2019][0-9])
    """,
    re.VERBOSE,
)
_UNITS: dict[str, Unit] = {
    "": Unit.PLAIN, "%": Unit.PERCENT, "percent": Unit.PERCENT, "per cent": Unit.PERCENT,
    "st": Unit.ORDINAL, "nd": Unit.ORDINAL, "rd": Unit.ORDINAL, "th": Unit.ORDINAL,
}  # fmt: skip

_RISING = (
    r"ris(?:e|es|en|ing)|rose|gr[oe]w(?:s|n|ing|th)?|increas(?:e|es|ed|ing)|up|gain(?:s|ed)?|climb(?:s|ed)?|jump(?:s|ed)?"
    r"|expand(?:s|ed)?|improv(?:e|es|ed|ement)|surg(?:e|es|ed)|advanc(?:e|es|ed)|higher"
)
_FALLING = (
    r"fall(?:s|en|ing)?|fell|declin(?:e|es|ed|ing)|drop(?:s|ped|ping)?|decreas(?:e|es|ed|ing)|down|los(?:e|es|t|ing)|loss"
    r"|shr[aiu]nk(?:s|ing)?|contract(?:s|ed|ion)|slid(?:e|es)?|slip(?:s|ped)?|dip(?:s|ped)?|reduc(?:ed|tion)|lower"
    r"|plung(?:e|es|ed)|weaken(?:s|ed)?|retreat(?:s|ed)?"
)
# Before the others: `makes up` is no rise.
_SHARING = (
    r"m(?:ake|akes|ade|aking) up|shares?|account(?:s|ed|ing)?|hold(?:s|ing)?|held|represent(?:s|ed|ing)?"
    r"|contribut(?:e|es|ed|ing)|compris(?:e|es|ed|ing)"
)
_SENSES = re.compile(rf"\b(?:(?P<share>{_SHARING})|(?P<rise>{_RISING})|(?P<fall>{_FALLING}))\b", re.IGNORECASE)
_AFTER = re.compile(
    rf"\s*(?:(?P<share>of\b|shares?\b)|(?P<rise>(?:{_RISING}|more|above)\b)"
    rf"|(?P<fall>(?:{_FALLING}|less|fewer|below)\b))",
    re.IGNORECASE,
)
_HEDGES = r"(?:\s+(?:about|around|nearly|almost|roughly|some|over|just|a|another))*"
_STEP = re.compile(rf"(?:\bby|\b(?:{_RISING}|{_FALLING})(?:\s+of)?){_HEDGES}\s*$", re.IGNORECASE)
_STEP_AFTER = re.compile(r"\s*(?:more|less|fewer|higher|lower|above|below)\b", re.IGNORECASE)
_RANKING = re.compile(
    r"\b(?:top|bottom|first|last|best|worst|leading|largest|biggest|smallest|highest|lowest|strongest|weakest|next|other"
    r"|remaining)\s*$",
    re.IGNORECASE,
)
_LEVEL = re.compile(rf"\b(?:to|at){_HEDGES}\s*$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_CLAUSE_END = re.compile(r"[,;:](?=\s)|[()\u2014]|\s\u2013\s")


def figures_in(text: str) -> Iterator[WrittenFigure]:
    """Yield each figure of a text, in its order."""
    for match in _FIGURE.finditer(text):
        yield _figure(match, before=text[: match.start()], after=text[match.end() :])


def unreadable_in(text: str) -> list[str]:
    """Return the words that hold digits, but no figure in a form that is known."""
    rest = _FIGURE.sub(" ", text)
    return [word for word in rest.split() if any(char.isnumeric() for char in word)]


def _figure(match: re.Match[str], *, before: str, after: str) -> WrittenFigure:
    sentence = _SENTENCE_END.split(before)[-1]
    *_, clause = _CLAUSE_END.split(sentence)
    scale = _SCALES.get((match["scale"] or "").strip().lower(), 0)
    digits = re.sub(r"[^0-9.]", "", match["digits"])
    decimals = len(digits.partition(".")[2])
    negative = match["sign"] not in (None, "+")
    value = Decimal(digits).scaleb(scale)
    return WrittenFigure(
        text=match.group().strip(),
        value=-value if negative else value,
        tolerance=Decimal(5).scaleb(scale - decimals - 1),
        unit=_unit_of(match, ranked=_RANKING.search(before) is not None),
        scaled=scale > 0,
        signed=match["sign"] is not None,
        governed=_sense_after(after) or _last_sense(clause),
        suggested=_last_sense(sentence),
        is_step=bool(_STEP.search(clause) or _STEP_AFTER.match(after)),
        is_level=_LEVEL.search(clause) is not None,
    )


def _unit_of(match: re.Match[str], *, ranked: bool) -> Unit:
    unit = _UNITS.get(" ".join((match["unit"] or "").lower().split()), Unit.UNKNOWN)
    if match["currency"]:
        return Unit.MONEY if unit is Unit.PLAIN else Unit.UNKNOWN
    return Unit.RANK if ranked and unit is Unit.PLAIN and not match["scale"] else unit


def _last_sense(text: str) -> Sense | None:
    found = list(_SENSES.finditer(text))
    return Sense(found[-1].lastgroup or "") if found else None


def _sense_after(text: str) -> Sense | None:
    found = _AFTER.match(text)
    return Sense(found.lastgroup or "") if found else None
