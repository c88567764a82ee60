"""The brief of a text: for whom, how, and the facts that it may state."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from maos.forbidden_text import plain_of, words_in
from maos.query_tables import as_data

MOST_BRIEF_BYTES = 60_000
MOST_WORDS = 2000
# What the brief itself says, besides its facts, is given as well.
THE_BRIEF = "brief"
# Room for words that a text cannot do without; more is too long.
_LENGTH_TOLERANCE = 1.1

Phrase = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=2, max_length=300, pattern=r"^[^\x00-\x1f]*[^\W_].*$")
]
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class Language(StrEnum):
    """The languages in which claims can be found."""

    ENGLISH = "en"
    GERMAN = "de"
    FRENCH = "fr"
    SPANISH = "es"
    ITALIAN = "it"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fact(_Value):
    """Something that the text may say, and where it is from."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] = Field(
        title="Fact", description="One sentence, best in the language of the text."
    )
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        title="Source", description="Where it is from: a document, a page, a person."
    )
    link: Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"'`\\]+$", max_length=1000)] | None = Field(
        default=None, title="Link", description="The source's http(s) address, if it has one."
    )

    @property
    def given(self) -> str:
        """Everything that it says."""
        return f"{self.text} ({self.source})"


class Brief(_Value):
    """What is to be written."""

    about: str = Field(
        title="What", description="A press release on our new roastery, for example.", min_length=3, max_length=1000
    )
    audience: _Line = Field(title="Audience", description="Who reads it.")
    tone: _Line = Field(default="clear and friendly", title="Tone", description="How it sounds.")
    language: Language = Field(default=Language.ENGLISH, title="Language", description="In which it is written.")
    most_words: int = Field(default=300, title="Most words", description="No longer than this.", ge=30, le=MOST_WORDS)
    facts: tuple[Fact, ...] = Field(
        title="Facts",
        description="All that the text may state as numbers, names and dates.",
        min_length=1,
        max_length=50,
    )
    must_say: tuple[Phrase, ...] = Field(
        default=(), title="Must say", description="Words that must stand in the text as they are.", max_length=20
    )
    must_not_say: tuple[Phrase, ...] = Field(
        default=(), title="Must not say", description="Words that must not stand in the text.", max_length=50
    )
    forbidden_claims: tuple[Phrase, ...] = Field(
        default=(),
        title="Forbidden claims",
        description="What must not be said in any words that resemble these: good for your health.",
        max_length=20,
    )

    @model_validator(mode="after")
    def _can_be_kept(self) -> "Brief":
        for phrase in self.must_say:
            if said := words_in(self.must_not_say, plain_of(phrase)):
                raise ValueError(f"must_say: {phrase!r} has {said[0]!r}, which must not be said")
        if sum(len(phrase.split()) for phrase in self.must_say) > self.most_words:
            raise ValueError(f"most_words: what must be said takes more than {self.most_words} words")
        if (size := self.size) > MOST_BRIEF_BYTES:
            raise ValueError(f"a brief of {size:,} bytes; at most {MOST_BRIEF_BYTES:,} are allowed")
        return self

    @property
    def numbered(self) -> Mapping[str, Fact]:
        """Each fact by what it is called: f1 is the first."""
        return {f"f{number}": fact for number, fact in enumerate(self.facts, start=1)}

    @property
    def givens(self) -> Mapping[str, str]:
        """Everything that the text may state, by what it is called: the facts, and the words of the brief."""
        own = "\n".join((self.about, self.audience, *self.must_say))
        return {name: fact.given for name, fact in self.numbered.items()} | {THE_BRIEF: own}

    @property
    def longest(self) -> int:
        """How many words a text may really have."""
        return int(self.most_words * _LENGTH_TOLERANCE)

    @property
    def told(self) -> str:
        """The brief as data for a prompt."""
        facts = [{"id": name, "fact": fact.text, "source": fact.source} for name, fact in self.numbered.items()]
        return as_data(self.model_dump(mode="json", exclude={"facts"}) | {"facts": facts})

    @property
    def size(self) -> int:
        """The bytes of what a writer is told of it."""
        return len(self.told.encode())
