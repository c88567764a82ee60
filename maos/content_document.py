"""A text as it is published: with numbered sources, whatever the format."""

from collections.abc import Callable, Mapping

from pydantic import BaseModel, ConfigDict

from maos.content import Paragraph, Section, WrittenContent
from maos.content_brief import THE_BRIEF, Brief, Language
from maos.content_review import VariantReview
from maos.report import ReportRun


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class DocumentWords(_Value):
    """What stands around a text in its own language."""

    sources: str
    number: str
    fact: str
    source: str
    rehearsal: str


class DocumentSource(_Value):
    """A fact that the text is made of."""

    number: int
    fact: str
    source: str
    link: str | None


class DocumentParagraph(_Value):
    """A paragraph with the numbers of its sources."""

    text: str
    sources: tuple[int, ...]


class DocumentSection(_Value):
    """Paragraphs under a heading, or under none."""

    heading: str
    paragraphs: tuple[DocumentParagraph, ...]


class ContentDocument(_Value):
    """The whole of it."""

    title: str
    language: Language
    run: ReportRun
    sections: tuple[DocumentSection, ...]
    sources: tuple[DocumentSource, ...]

    @property
    def words(self) -> DocumentWords:
        """What stands around it."""
        return _WORDS[self.language]


_WORDS: Mapping[Language, DocumentWords] = {
    Language.ENGLISH: DocumentWords(
        sources="Sources",
        number="No.",
        fact="Fact",
        source="Source",
        rehearsal="Made of the given facts by rule; no writer was asked. Not for publication.",
    ),
    Language.GERMAN: DocumentWords(
        sources="Quellen",
        number="Nr.",
        fact="Fakt",
        source="Quelle",
        rehearsal="Nach Regeln aus den gegebenen Fakten gemacht; niemand hat geschrieben. Nicht zur Veröffentlichung.",
    ),
    Language.FRENCH: DocumentWords(
        sources="Sources",
        number="N°",
        fact="Fait",
        source="Source",
        rehearsal="Fait des faits donnés selon des règles ; personne n'a écrit. À ne pas publier.",
    ),
    Language.SPANISH: DocumentWords(
        sources="Fuentes",
        number="N.º",
        fact="Dato",
        source="Fuente",
        rehearsal="Hecho de los datos dados según reglas; nadie ha escrito. No publicar.",
    ),
    Language.ITALIAN: DocumentWords(
        sources="Fonti",
        number="N.",
        fact="Fatto",
        source="Fonte",
        rehearsal="Fatto dei fatti dati secondo regole; nessuno ha scritto. Da non pubblicare.",
    ),
}


def document_of(review: VariantReview, brief: Brief, run: ReportRun) -> ContentDocument:
    """Return a variant with its sources, numbered in the order in which they are used."""
    content = review.content
    used = [_facts_of(review, number, at, each) for number, at, each in _paragraphs(content)]
    order = list(dict.fromkeys(name for facts in used for name in facts))
    numbers = {name: number for number, name in enumerate(order, start=1)}
    marks = iter(used)
    return ContentDocument(
        title=content.title,
        language=brief.language,
        run=run,
        sections=tuple(
            DocumentSection(
                heading=section.heading,
                paragraphs=tuple(
                    DocumentParagraph(text=each.text, sources=tuple(numbers[name] for name in next(marks)))
                    for each in section.paragraphs
                ),
            )
            for section in content.sections
        ),
        sources=tuple(
            DocumentSource(number=number, fact=fact.text, source=fact.source, link=fact.link)
            for name, number in numbers.items()
            for fact in (brief.numbered[name],)
        ),
    )


def _paragraphs(content: WrittenContent) -> list[tuple[int, int, Paragraph]]:
    return [
        (number, at, each)
        for number, section in enumerate(content.sections, start=1)
        for at, each in enumerate(section.paragraphs, start=1)
    ]


def _facts_of(review: VariantReview, number: int, at: int, paragraph: Paragraph) -> list[str]:
    """Return what a paragraph is made of: what its claims were traced to, and what its writer says."""
    place = f"section {number}.{at}"
    traced = [name for claim in review.claims if claim.place == place for name in claim.facts]
    return [name for name in dict.fromkeys((*traced, *paragraph.facts)) if name != THE_BRIEF]


def discreet_content(content: WrittenContent, clean: Callable[[str], str]) -> WrittenContent:
    """Return a text without what its readers must not see."""
    return WrittenContent(
        title=clean(content.title)[:150],
        sections=tuple(_discreet(section, clean) for section in content.sections),
        names=tuple(clean(name)[:100] for name in content.names),
    )


def _discreet(section: Section, clean: Callable[[str], str]) -> Section:
    return Section(
        heading=clean(section.heading)[:120],
        paragraphs=tuple(Paragraph(text=clean(each.text)[:3000], facts=each.facts) for each in section.paragraphs),
    )
