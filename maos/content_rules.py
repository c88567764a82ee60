"""What a text breaks: words it must say or must not say, claims it must not make, its length."""

import re
from collections.abc import Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from maos.claim_language import HABITS
from maos.claim_sentences import sentences_of
from maos.claims import Claim, ClaimStatus
from maos.content import WrittenContent
from maos.content_brief import Brief, Language
from maos.forbidden_text import plain_of, words_in

_WORD = re.compile(r"[^\W\d_]+")
# Shorter words say nothing by themselves, in whatever language: `is`, `and`, `für`.
_SHORTEST_WORD = 4
_ENDING = 2


class FlagKind(StrEnum):
    """Why a place in a text is flagged."""

    UNTRACED = "not given"
    LOOSE = "says something else"
    MISSING = "not said"
    FORBIDDEN_WORD = "must not be said"
    FORBIDDEN_CLAIM = "forbidden claim"
    TOO_LONG = "too long"
    UNREVISED = "not revised"


class Flag(BaseModel):
    """Something that a person has to look at, and where it stands."""

    model_config = ConfigDict(frozen=True)

    kind: FlagKind
    place: str
    detail: str

    @property
    def asks_for_revision(self) -> bool:
        """Whether the text is written anew for it; what may be right as it is, a person judges."""
        return self.kind not in {FlagKind.LOOSE, FlagKind.UNREVISED}

    @property
    def in_words(self) -> str:
        """The flag as a writer and a reviewer are told it."""
        return f"{self.place}: {self.kind}: {self.detail}"


def flags_of(content: WrittenContent, brief: Brief, claims: tuple[Claim, ...]) -> tuple[Flag, ...]:
    """Return everything in a text that the brief does not allow."""
    return (*_claim_flags(claims), *_word_flags(content, brief), *_length_flags(content, brief))


def _claim_flags(claims: tuple[Claim, ...]) -> Iterator[Flag]:
    for claim in claims:
        if claim.status is ClaimStatus.UNTRACED:
            missing = ", ".join(f"“{each}”" for each in claim.missing)
            yield Flag(kind=FlagKind.UNTRACED, place=claim.place, detail=f"{missing} in “{claim.sentence}”")
        elif claim.status is ClaimStatus.LOOSE:
            facts = ", ".join(claim.facts)
            detail = f"“{claim.sentence}” has the numbers of {facts}, and no other word of it"
            yield Flag(kind=FlagKind.LOOSE, place=claim.place, detail=detail)


def _word_flags(content: WrittenContent, brief: Brief) -> Iterator[Flag]:
    # Within one text: what stands in two paragraphs is not said.
    plain = [(place, plain_of(text)) for place, text in content.places]
    for phrase in brief.must_say:
        if not any(words_in([phrase], text) for _, text in plain):
            yield Flag(kind=FlagKind.MISSING, place="text", detail=f"“{phrase}”")
    for place, text in plain:
        for phrase in words_in(brief.must_not_say, text):
            yield Flag(kind=FlagKind.FORBIDDEN_WORD, place=place, detail=f"“{phrase}”")
    for place, written in content.places:
        for sentence in sentences_of(written):
            for forbidden in brief.forbidden_claims:
                if claims_it(sentence, forbidden, brief.language):
                    detail = f"“{forbidden}” in “{sentence}”"
                    yield Flag(kind=FlagKind.FORBIDDEN_CLAIM, place=place, detail=detail)


def claims_it(sentence: str, forbidden: str, language: Language) -> bool:
    """Say whether a sentence has every word of a claim that says something, in any order and inflection."""
    words = [word.casefold() for word in _WORD.findall(sentence)]
    wanted = [word.casefold() for word in _WORD.findall(forbidden)]
    openers = HABITS[language].openers
    telling = [word for word in wanted if len(word) >= _SHORTEST_WORD and word not in openers] or wanted
    return all(any(_alike(word, stated) for stated in words) for word in telling)


def _alike(wanted: str, stated: str) -> bool:
    stem = wanted[: max(_SHORTEST_WORD, len(wanted) - _ENDING)]
    return stated.startswith(stem) and len(stated) <= len(wanted) + _ENDING + 1


def _length_flags(content: WrittenContent, brief: Brief) -> Iterator[Flag]:
    if content.words > brief.longest:
        detail = f"{content.words:,} words, where {brief.most_words:,} are asked for"
        yield Flag(kind=FlagKind.TOO_LONG, place="text", detail=detail)
