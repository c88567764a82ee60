"""Traces what a text claims: every number, date and name in it stands in a fact that was given, or is flagged."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from maos.claim_dates import StatedDate, dates_in
from maos.claim_figures import StatedFigure, figures_in, unreadable_in, without_figures
from maos.claim_names import folded_name, names_in
from maos.claim_sentences import sentences_of
from maos.content import WrittenContent
from maos.content_brief import THE_BRIEF, Brief, Language

_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_STEM = 4


class ClaimStatus(StrEnum):
    """Whether a claim stands in what was given."""

    TRACED = "traced"
    # Its numbers and names do, and none of its other words: the same number may count something else.
    LOOSE = "loose"
    UNTRACED = "untraced"


class Claim(BaseModel):
    """A sentence that states a number, a date or a name."""

    model_config = ConfigDict(frozen=True)

    place: str
    sentence: str
    status: ClaimStatus
    facts: tuple[str, ...] = Field(default=(), description="What was given that says so.")
    missing: tuple[str, ...] = Field(default=(), description="What stands in nothing that was given.")


@dataclass(frozen=True)
class _Item:
    """One thing that a sentence states, and how to tell whether something given states it, too."""

    text: str
    stands_in: Callable[["_Given"], bool]
    counts: bool = False


@dataclass(frozen=True)
class _Given:
    """Something that was given, read once."""

    name: str
    figures: tuple[StatedFigure, ...]
    dates: tuple[StatedDate, ...]
    folded: str
    stems: frozenset[str]


def claims_of(content: WrittenContent, brief: Brief) -> tuple[Claim, ...]:
    """Return every claim of a text, in its order."""
    given = [_read(name, text, brief.language) for name, text in brief.givens.items()]
    return tuple(_claims(content, brief.language, given))


def _claims(content: WrittenContent, language: Language, given: list[_Given]) -> Iterator[Claim]:
    cited = _cited(content)
    for place, text in content.places:
        for sentence in sentences_of(text):
            items = list(_items(sentence, language, content.names, titled=not place.startswith("section")))
            if items:
                yield _traced(place, sentence, items, given, cited.get(place, frozenset()))


def _cited(content: WrittenContent) -> Mapping[str, frozenset[str]]:
    return {
        f"section {number}.{at}": frozenset(paragraph.facts)
        for number, section in enumerate(content.sections, start=1)
        for at, paragraph in enumerate(section.paragraphs, start=1)
    }


def _items(sentence: str, language: Language, declared: Iterable[str], *, titled: bool) -> Iterator[_Item]:
    dates = list(dates_in(sentence, language))
    yield from (_dated(readings) for _, readings in dates)
    rest = _without(sentence, [span for span, _ in dates])
    yield from map(_counted, figures_in(rest, language))
    rest = without_figures(rest, language)
    names = names_in(rest, language, titled=titled)
    names += [name for name in declared if _holds(sentence, name) and not any(_holds(other, name) for other in names)]
    yield from map(_named, names)
    # Digits within names are theirs: `COVID-19`.
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(name, " ")
    yield from (_Item(word, lambda _: False) for word in unreadable_in(rest))


def _dated(readings: tuple[StatedDate, ...]) -> _Item:
    def stands_in(given: _Given) -> bool:
        return any(date.supported_by(other) for date in readings for other in given.dates)

    return _Item(readings[0].text, stands_in)


def _named(name: str) -> _Item:
    return _Item(name, lambda given: folded_name(name) in given.folded)


def _counted(figure: StatedFigure) -> _Item:
    # A year counts nothing that could be something else.
    counts = not figure.may_be_year
    return _Item(figure.text, lambda given: any(figure.supported_by(other) for other in given.figures), counts)


def _holds(text: str, name: str) -> bool:
    return bool(folded_name(name).strip()) and folded_name(name) in folded_name(text)


def _read(name: str, text: str, language: Language) -> _Given:
    """Read what was given in its language, and what is left as it would be written in English."""
    languages = tuple(dict.fromkeys((language, Language.ENGLISH)))
    dates: list[StatedDate] = []
    figures: list[StatedFigure] = []
    rest = text
    for each in languages:
        found = list(dates_in(rest, each))
        dates += [date for _, readings in found for date in readings]
        # The 12 of a day counts nothing; its year may stand by itself.
        rest = _without(rest, [span for span, _ in found])
    # In this order: `1.200` is twelve hundred in German, and must not be one and a fifth as well.
    for each in languages:
        figures += figures_in(rest, each)
        rest = without_figures(rest, each, mark=" ")
    years = {date.year for date in dates if date.year}
    figures += [figure for year in sorted(years) for figure in figures_in(str(year), language)]
    return _Given(name, tuple(figures), tuple(dates), folded_name(text), _stems(text))


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _stems(text: str) -> frozenset[str]:
    return frozenset(word.casefold()[:_STEM] for word in _LONG_WORD.findall(text))


def _traced(place: str, sentence: str, items: list[_Item], given: list[_Given], cited: frozenset[str]) -> Claim:
    missing = tuple(dict.fromkeys(each.text for each in items if not any(map(each.stands_in, given))))
    left = [each for each in items if each.text not in missing]
    stems = _stems(sentence)
    chosen: list[_Given] = []
    while left:
        best = max(given, key=lambda one: _rank(one, left, stems, cited))
        chosen.append(best)
        left = [each for each in left if not each.stands_in(best)]
    status = ClaimStatus.UNTRACED if missing else ClaimStatus.TRACED
    if status is ClaimStatus.TRACED and _is_loose(sentence, items, chosen):
        status = ClaimStatus.LOOSE
    facts = tuple(one.name for one in given if one in chosen)
    return Claim(place=place, sentence=sentence, status=status, facts=facts, missing=missing)


def _rank(
    given: _Given, left: list[_Item], stems: frozenset[str], cited: frozenset[str]
) -> tuple[int, bool, int, bool]:
    supported = sum(each.stands_in(given) for each in left)
    return supported, given.name in cited, len(stems & given.stems), given.name != THE_BRIEF


def _is_loose(sentence: str, items: list[_Item], chosen: list[_Given]) -> bool:
    own = sentence
    for each in items:
        own = own.replace(each.text, " ")
    if not any(each.counts for each in items):
        return False
    stems = _stems(own)
    return bool(stems) and not any(stems & one.stems for one in chosen)
