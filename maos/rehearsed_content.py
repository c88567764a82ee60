"""A text as a rehearsal writes it: by rule, from the given facts, and marked as such."""

from collections.abc import Callable, Mapping

from maos.claim_sentences import sentences_of
from maos.claims import ClaimStatus
from maos.content import Outline, OutlinedSection, Paragraph, Section, WrittenContent
from maos.content_brief import Brief, Language
from maos.content_review import VariantReview
from maos.content_rules import claims_it
from maos.forbidden_text import plain_of, words_in
from maos.labels import printable

_A_SECTION = 4
_TITLE, _HEADING, _MARK = range(3)
_WORDS: Mapping[Language, tuple[str, str, str]] = {
    Language.ENGLISH: (
        "Rehearsal",
        "What is known",
        "Rehearsal: made of the given facts by rule, no writer was asked.",
    ),
    Language.GERMAN: (
        "Probe",
        "Was bekannt ist",
        "Probe: nach Regeln aus den gegebenen Fakten gemacht, niemand hat geschrieben.",
    ),
    Language.FRENCH: (
        "Répétition",
        "Ce qui est connu",
        "Répétition : fait des faits donnés selon des règles, personne n'a écrit.",
    ),
    Language.SPANISH: (
        "Ensayo",
        "Lo que se sabe",
        "Ensayo: hecho de los datos dados según reglas, nadie ha escrito.",
    ),
    Language.ITALIAN: (
        "Prova",
        "Che cosa si sa",
        "Prova: fatta dei fatti dati secondo regole, nessuno ha scritto.",
    ),
}


def rehearsed_outline(brief: Brief, variants: int) -> Outline:
    """Return an outline that tells the facts in their order, as far as there is room for them."""
    words, names = _WORDS[brief.language], list(brief.numbered)
    groups = [tuple(names[at : at + _A_SECTION]) for at in range(0, len(names), _A_SECTION)]
    # More sections than an outline has are left out: a rehearsal shows the way, not the text.
    sections = [OutlinedSection(heading=words[_HEADING], point=words[_MARK], facts=facts) for facts in groups[:12]]
    title = printable(f"{words[_TITLE]}: {brief.about}", 150)
    return Outline(title=title, sections=tuple(sections), angles=tuple(f"f{at}" for at in range(1, variants + 1)))


def rehearsed_draft(brief: Brief, outline: Outline, variant: int) -> WrittenContent:
    """Return the facts as sentences; each variant begins with another one."""
    words = _WORDS[brief.language]
    opening = [words[_MARK], *(_sentence(phrase) for phrase in brief.must_say)]
    room = brief.most_words - len(" ".join((outline.title, *opening)).split())
    names = [fact for section in outline.sections for fact in section.facts]
    begin = (variant - 1) % len(names)
    sections = [Section(paragraphs=tuple(Paragraph(text=text) for text in opening))]
    for at, facts in enumerate(_groups([*names[begin:], *names[:begin]])):
        heading = outline.sections[at].heading
        told, room = _as_far_as_fits(brief, facts, room - len(heading.split()))
        if told:
            sections.append(Section(heading=heading, paragraphs=told))
    return WrittenContent(title=outline.title, sections=tuple(sections))


def rehearsed_revision(brief: Brief, review: VariantReview) -> WrittenContent:
    """Return the text without the sentences that are flagged."""
    untraced = {claim.sentence for claim in review.claims if claim.status is ClaimStatus.UNTRACED}

    def stays(sentence: str) -> bool:
        forbidden = any(claims_it(sentence, claim, brief.language) for claim in brief.forbidden_claims)
        return not (sentence in untraced or forbidden or words_in(brief.must_not_say, plain_of(sentence)))

    kept = [_only(section, stays) for section in review.content.sections]
    sections = tuple(section for section in kept if section)
    return review.content.model_copy(update={"sections": sections or review.content.sections[:1]})


def _only(section: Section, stays: Callable[[str], bool]) -> Section | None:
    texts = [(each, [line for line in sentences_of(each.text) if stays(line)]) for each in section.paragraphs]
    paragraphs = tuple(each.model_copy(update={"text": " ".join(lines)}) for each, lines in texts if lines)
    return section.model_copy(update={"paragraphs": paragraphs}) if paragraphs else None


def _groups(names: list[str]) -> list[list[str]]:
    return [names[at : at + _A_SECTION] for at in range(0, len(names), _A_SECTION)]


def _as_far_as_fits(brief: Brief, facts: list[str], room: int) -> tuple[tuple[Paragraph, ...], int]:
    told = []
    for name in facts:
        text = _sentence(brief.numbered[name].text)
        if len(text.split()) <= room:
            told.append(Paragraph(text=text, facts=(name,)))
            room -= len(text.split())
    return tuple(told), room


def _sentence(text: str) -> str:
    return text if text[-1] in '.!?…"”' else f"{text}."
