"""A text in Markdown, and what a reviewer reads before it is published."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from maos.content_brief import Brief
from maos.content_document import ContentDocument, DocumentSource, document_of
from maos.content_review import ContentReview, PastRound, VariantReview, changes_of, lines_of
from maos.content_rules import Flag
from maos.fences import fenced
from maos.report import ReportRun
from maos.report_markdown import escaped

_REHEARSAL = "**REHEARSAL**"


def markdown_of(document: ContentDocument) -> str:
    """Return a text with its sources."""
    return _joined(_document(document))


def review_of(review: ContentReview, title: str) -> str:
    """Return what a round's check has found."""
    return _joined(_review(review, title))


def preview_of(
    review: ContentReview, chosen: VariantReview, brief: Brief, run: ReportRun, places: Sequence[str]
) -> str:
    """Return what a reviewer needs to choose a variant and to decide whether it may be published.

    Args:
        places: the files that publishing writes.
    """
    return _joined(_preview(review, chosen, document_of(chosen, brief, run), places))


def _joined(blocks: Iterator[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def _document(document: ContentDocument) -> Iterator[str]:
    if document.run.rehearsal:
        yield f"{_REHEARSAL} {document.words.rehearsal}"
    yield from _body(document, level=1)


def _body(document: ContentDocument, *, level: int) -> Iterator[str]:
    words, below = document.words, "#" * (level + 1)
    yield f"{'#' * level} {escaped(document.title)}"
    for section in document.sections:
        if section.heading:
            yield f"{below} {escaped(section.heading)}"
        for each in section.paragraphs:
            marks = "".join(f"\\[{number}\\]" for number in each.sources)
            yield f"{escaped(each.text)} {marks}".rstrip()
    yield f"{below} {words.sources}"
    yield _table(
        (words.number, words.fact, words.source),
        [(str(each.number), escaped(each.fact), _source(each)) for each in document.sources],
    )


def _source(source: DocumentSource) -> str:
    # An address of a brief has no sign that could end it; a bar would begin the next cell.
    return f"[{escaped(source.source)}](<{source.link.replace('|', '%7C')}>)" if source.link else escaped(source.source)


def _preview(
    review: ContentReview, chosen: VariantReview, document: ContentDocument, places: Sequence[str]
) -> Iterator[str]:
    count = len(review.variants)
    if document.run.rehearsal:
        yield f"{_REHEARSAL} The text was made of the given facts by rule; no writer was asked."
    yield "Will be published in the run's folder as " + ", ".join(f"`{place}`" for place in places) + "."
    if count > 1:
        numbers = ", ".join(str(each.variant) for each in review.variants)
        yield f'Variant {chosen.variant} of {count}. To publish another one ({numbers}), edit: `{{"variant": N}}`.'
    yield from _flags(chosen.flags)
    yield "## The text"
    yield (
        markdown_of(document.model_copy(update={"run": document.run.model_copy(update={"rehearsal": False})}))
        .replace("\n#", "\n##")
        .replace("# ", "### ", 1)
        .rstrip()
    )
    yield from _rounds(chosen)
    yield from _claims(chosen)
    for other in review.variants:
        if other.variant != chosen.variant:
            yield f"## Variant {other.variant}"
            yield from _flags(other.flags)
            yield fenced("\n".join(lines_of(other.content)))


def _review(review: ContentReview, title: str) -> Iterator[str]:
    yield f"# {escaped(title)}: round {review.round}"
    for each in review.variants:
        yield f"## Variant {each.variant}"
        yield f"{each.content.words:,} words, {len(each.claims)} claims, {len(each.flags)} flags."
        yield from _flags(each.flags)
        yield fenced("\n".join(lines_of(each.content)))
        if each.past and each.round == review.round:
            yield from _rounds(each)
        yield from _claims(each)


def _flags(flags: Sequence[Flag]) -> Iterator[str]:
    if not flags:
        yield "Nothing is flagged."
        return
    yield f"**FLAGGED: {len(flags)}**"
    yield "\n".join(f"- {escaped(flag.place)}: **{flag.kind}**: {escaped(flag.detail)}" for flag in flags)


def _rounds(variant: VariantReview) -> Iterator[str]:
    rounds: list[PastRound | VariantReview] = [*variant.past, variant]
    for before, after in pairwise(rounds):
        yield f"### From round {before.round} to round {after.round}"
        yield "\n".join(f"- {escaped(flag.in_words)}" for flag in before.flags)
        yield fenced(changes_of(before.content, after.content))


def _claims(variant: VariantReview) -> Iterator[str]:
    if not variant.claims:
        return
    yield "### Claims"
    rows = [
        (claim.place, escaped(claim.sentence), claim.status.value, ", ".join(claim.facts) or "nothing")
        for claim in variant.claims
    ]
    yield _table(("Where", "Sentence", "Status", "Given by"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
