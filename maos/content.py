"""A text as it is outlined and written: sections of paragraphs, each with the facts that it is made of."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.content_brief import Brief
from maos.query_tables import as_data

MOST_OUTLINE_BYTES = 20_000
_AROUND_THE_WORDS_BYTES = 3000
# German words are long, and every paragraph names its facts.
_BYTES_A_WORD = 30

_Name = Annotated[str, StringConstraints(max_length=100)]
_FactId = Annotated[str, StringConstraints(max_length=4)]
_Facts = Annotated[tuple[_FactId, ...], Field(max_length=50, description="Ids of the facts that it is made of.")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class OutlinedSection(_Value):
    """What a section shall say."""

    heading: str = Field(max_length=120)
    point: str = Field(description="What it says, in one sentence.", min_length=1, max_length=300)
    facts: _Facts = ()


class Outline(_Value):
    """How a text is built."""

    title: str = Field(min_length=1, max_length=150)
    sections: tuple[OutlinedSection, ...] = Field(min_length=1, max_length=12)
    angles: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = Field(
        description="How each variant begins and what it leads with, one for each variant.", min_length=1, max_length=5
    )


class Paragraph(_Value):
    """A paragraph, and what it is made of."""

    text: str = Field(min_length=1, max_length=3000)
    facts: _Facts = ()


class Section(_Value):
    """Paragraphs under a heading; the opening needs none."""

    heading: str = Field(default="", max_length=120)
    paragraphs: tuple[Paragraph, ...] = Field(min_length=1, max_length=12)


class WrittenContent(_Value):
    """A text as it was written."""

    title: str = Field(min_length=1, max_length=150)
    sections: tuple[Section, ...] = Field(min_length=1, max_length=12)
    names: tuple[_Name, ...] = Field(
        default=(), description="Every person, company, product and place that the text names.", max_length=60
    )

    @property
    def words(self) -> int:
        """How many words it has, title and headings included."""
        return sum(len(text.split()) for _, text in self.places)

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Each of its texts, with where it stands."""
        return tuple(self._places())

    def _places(self) -> Iterator[tuple[str, str]]:
        yield "title", self.title
        for place, section in enumerate(self.sections, start=1):
            if section.heading:
                yield f"heading {place}", section.heading
            yield from ((f"section {place}.{at}", each.text) for at, each in enumerate(section.paragraphs, start=1))

    @property
    def cited(self) -> frozenset[str]:
        """Every fact that a paragraph says it is made of."""
        return frozenset(fact for section in self.sections for each in section.paragraphs for fact in each.facts)

    @property
    def told(self) -> str:
        """The text as data for a prompt."""
        return as_data(self.model_dump(mode="json"))


def most_content_bytes(brief: Brief) -> int:
    """Return how large a text for a brief may be, as a writer is told it again."""
    return _AROUND_THE_WORDS_BYTES + _BYTES_A_WORD * brief.longest
