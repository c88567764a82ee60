"""Finds what looks like a name in a sentence: by its capital letters, which German gives to every noun."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maos.claim_language import HABITS, is_title
from maos.content_brief import Language

_WORD = re.compile(r"[^\W_]+(?:[-&.][^\W_]+)*")
_JOINTS = frozenset({"of", "de", "del", "della", "di", "da", "du", "van", "von", "der", "den", "y", "&"})
_QUOTES = '"\u201c\u201e\u00ab'
_BEFORE_WORDS = f"{_QUOTES}'\u2018(\u00bf\u00a1\u2013\u2014- "
_FARTHEST = 12
# A single capital is an initial or a pronoun.
_LOUD = re.compile(r"[^\W\d_]*[^\W\d_a-z\u00df-\u00ff][^\W_a-z\u00df-\u00ff]+[^\W_]*|[^\W_]*[a-z][A-Z][^\W_]*")


@dataclass(frozen=True)
class _Token:
    text: str
    start: int
    end: int
    opens: bool

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()

    @property
    def loud(self) -> bool:
        """Whether its letters say by themselves that it is a name: `IKEA`, `McKinsey`, `COVID-19`."""
        letters = any(char.isalpha() for char in self.text)
        return letters and (any(char.isdigit() for char in self.text) or bool(_LOUD.fullmatch(self.text)))


def names_in(sentence: str, language: Language, *, titled: bool = False) -> list[str]:
    """Return what looks like a name in a sentence.

    Args:
        titled: whether it is a title or heading, in which every word may have a capital letter.
    """
    tokens = list(_tokens(sentence))
    if titled and sum(token.capital for token in tokens) > len(tokens) / 2:
        return [token.text for token in tokens if token.loud and token.text[0].isalpha()]
    found = (_name_of(run, language) for run in _runs(_uncounted(tokens, language), sentence))
    return [name for name in found if name]


def folded_name(text: str) -> str:
    """Return a text as its names are compared: without case, signs and the `s` of a genitive."""
    words = (_bare(word.group()) for word in _WORD.finditer(_without_genitive(text)))
    return f" {' '.join(words)} "


def _without_genitive(text: str) -> str:
    return re.sub(r"(?<=\w)['\u2019]s\b|\b[lLdD]['\u2019](?=\w)", " ", text)


def _bare(word: str) -> str:
    plain = word.casefold()
    # `Nordwinds Rösterei` is of Nordwind; `Paris` loses nothing, as it does on both sides.
    return plain[:-1] if len(plain) > 4 and plain.endswith("s") else plain


def _tokens(sentence: str) -> Iterator[_Token]:
    text = _without_genitive(sentence)
    for match in _WORD.finditer(text):
        yield _Token(match.group(), *match.span(), opens=_opens(text, match.start()))


def _opens(text: str, start: int) -> bool:
    """Say whether a word opens a sentence, or what somebody says in it."""
    before = text[max(0, start - _FARTHEST) : start]
    bare = before.rstrip(_BEFORE_WORDS)
    quoted = any(sign in _QUOTES for sign in before[len(bare) :])
    return quoted or bare[-1:] in tuple(":\u2026.!?") or (not bare and start <= _FARTHEST)


def _uncounted(tokens: Sequence[_Token], language: Language) -> list[_Token]:
    """Leave out what is counted where nouns have capitals: `1.200 Tonnen Kaffee` names nobody."""
    if not HABITS[language].nouns_have_capitals:
        return list(tokens)
    numbers = [bool(re.fullmatch(r"[0-9.]+", token.text)) for token in tokens]
    return [token for token, counted in zip(tokens, [False, *numbers], strict=False) if not counted]


def _runs(tokens: Sequence[_Token], sentence: str) -> Iterator[list[_Token]]:
    text, run = _without_genitive(sentence), list[_Token]()
    for at, token in enumerate(tokens):
        apart = bool(run) and text[run[-1].end : token.start].strip(" .") != ""
        if run and (apart or token.opens):
            yield run
            run = []
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        joins = bool(run) and token.text in _JOINTS and following is not None and following.capital
        if token.loud or token.capital or joins:
            run = [*run, token]
        elif run:
            yield run
            run = []
    if run:
        yield run


def _name_of(run: Sequence[_Token], language: Language) -> str | None:
    habits = HABITS[language]
    rest = list(run)
    titled = False
    while rest and (rest[0].text.casefold() in habits.openers or is_title(rest[0].text) or rest[0].text in _JOINTS):
        titled = titled or is_title(rest[0].text)
        rest = rest[1:]
    if not rest or rest[0].text == "I":
        return None
    name = " ".join(token.text for token in rest)
    if len(rest) > 1 or titled:
        return name
    single = rest[0]
    if single.loud:
        return None if single.text[0].isdigit() else name
    # By itself, a word that opens a sentence has a capital letter anyhow, and a German noun always has.
    return None if single.opens or habits.nouns_have_capitals else name
