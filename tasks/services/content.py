"""Reads a brief, checks what is written for it, and publishes the variant that a person chose."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import ArtifactRef, StepOutcome
from maos.content import WrittenContent
from maos.content_brief import Brief
from maos.content_document import ContentDocument, discreet_content, document_of
from maos.content_docx import docx_of
from maos.content_html import html_of
from maos.content_markdown import markdown_of, preview_of, review_of
from maos.content_plan import CheckParameters, PublishContentParameters, ReadBriefParameters, steps_after
from maos.content_review import ContentReview, VariantReview, first_review, next_review
from maos.effects import Effect, EffectKind
from maos.errors import EngineFailure, InputMismatch
from maos.failures import FailureKind
from maos.redaction import each_text
from maos.report import ReportRun
from maos.risk import RiskLevel
from tasks.files import write_file
from tasks.secrecy import redaction
from tasks.services.registry import ServiceCall, internal_service

TWIN, PAGE, WORD = "published/content.md", "published/content.html", "published/content.docx"
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_TEXT = "text_"


class PublishedContent(BaseModel):
    """Where a text was published."""

    model_config = ConfigDict(frozen=True)

    title: str
    variant: int
    round: int
    words: int
    sources: int = Field(description="How many facts it is made of.")
    flags: tuple[str, ...] = Field(description="What was flagged, and published all the same.")
    twin: ArtifactRef
    page: ArtifactRef
    word: ArtifactRef


@internal_service(
    action="read_brief",
    risk=RiskLevel.LOW,
    title="Take the brief as what is given.",
    parameters=ReadBriefParameters,
    output=Brief,
    read_only=True,
)
def read_brief(call: ServiceCall[ReadBriefParameters]) -> StepOutcome:
    """Make the brief an outcome that every later step reads."""
    brief = call.parameters.brief
    return StepOutcome(output=brief.model_dump(mode="json"), summary=f"Facts that are given: {len(brief.facts)}.")


@internal_service(
    action="check_content",
    risk=RiskLevel.LOW,
    title="Trace every claim to a given fact, check the rules of the brief, and say what is to be written anew.",
    parameters=CheckParameters,
    inputs={"brief": Brief},
    open_inputs=True,
    output=ContentReview,
    read_only=True,
    proposes_steps=True,
)
def check_content(call: ServiceCall[CheckParameters]) -> StepOutcome:
    """Check a round; what is flagged is written anew, as long as there is a round left.

    Raises:
        EngineFailure: when there is no text to check.
    """
    brief = Brief.model_validate(call.inputs["brief"])
    clean = _cleaner(brief)
    texts = {
        int(name.removeprefix(_TEXT)): discreet_content(WrittenContent.model_validate(value), clean) if value else None
        for name, value in call.inputs.items()
        if name.startswith(_TEXT)
    }
    review = _review(call, brief, texts)
    file = f"review/round-{review.round}.md"
    shown = write_file(call.folder, file, review_of(review, clean(call.parameters.title)).encode(), "text/markdown")
    flags = sum(len(each.flags) for each in review.variants)
    return StepOutcome(
        output=review.model_dump(mode="json"),
        summary=f"Round {review.round}: {flags} flags; variants to revise: {len(review.to_revise)}.",
        artifacts=(shown,),
        proposed_steps=steps_after(review, brief, call.parameters.title),
    )


def _review(call: ServiceCall[CheckParameters], brief: Brief, texts: dict[int, WrittenContent | None]) -> ContentReview:
    if "before" in call.inputs:
        return next_review(brief, ContentReview.model_validate(call.inputs["before"]), texts)
    drafts = {number: text for number, text in sorted(texts.items()) if text}
    if not drafts:
        raise EngineFailure(FailureKind.BAD_REQUEST, "there is no draft to check")
    return first_review(brief, drafts)


def preview(call: ServiceCall[PublishContentParameters]) -> str:
    """Return the text, what is flagged in it, how it came about, and the other variants, in Markdown.

    Raises:
        InputMismatch: when there is no such variant.
    """
    brief, review = _given(call)
    run = ReportRun.model_validate(call.run, from_attributes=True)
    return preview_of(review, _chosen(call, review), brief, run, (TWIN, PAGE, WORD))


@internal_service(
    action="publish_content",
    risk=RiskLevel.HIGH,
    title="Publish the text as Markdown, as a page and as a Word document in the run's folder.",
    parameters=PublishContentParameters,
    inputs={"brief": Brief, "review": ContentReview},
    output=PublishedContent,
    # The same bytes at a place made from ids.
    effect=Effect(kind=EffectKind.PUBLISH, repeatable=True),
    preview=preview,
)
def publish_content(call: ServiceCall[PublishContentParameters]) -> StepOutcome:
    """Write the text in every format; doing it again writes the same bytes.

    Raises:
        InputMismatch: when there is no such variant.
    """
    brief, review = _given(call)
    chosen = _chosen(call, review)
    document = _without_secrets(document_of(chosen, brief, ReportRun.model_validate(call.run, from_attributes=True)))
    twin = write_file(call.folder, TWIN, markdown_of(document).encode(), "text/markdown")
    page = write_file(call.folder, PAGE, html_of(document).encode(), "text/html")
    word = write_file(call.folder, WORD, docx_of(document), _DOCX)
    published = PublishedContent(
        title=document.title,
        variant=chosen.variant,
        round=chosen.round,
        words=chosen.content.words,
        sources=len(document.sources),
        flags=tuple(flag.in_words for flag in chosen.flags),
        twin=twin,
        page=page,
        word=word,
    )
    return StepOutcome(
        output=published.model_dump(mode="json"),
        summary=f"Published variant {chosen.variant} as {TWIN}, {PAGE} and {WORD}.",
        artifacts=(twin, page, word),
    )


def _given(call: ServiceCall[PublishContentParameters]) -> tuple[Brief, ContentReview]:
    return Brief.model_validate(call.inputs["brief"]), ContentReview.model_validate(call.inputs["review"])


def _chosen(call: ServiceCall[PublishContentParameters], review: ContentReview) -> VariantReview:
    number = call.parameters.variant
    if chosen := review.variant(number):
        return chosen
    variants = ", ".join(str(each.variant) for each in review.variants)
    raise InputMismatch("variant", f"there is no {number}; variants: {variants}")


def _cleaner(brief: Brief) -> Callable[[str], str]:
    # Names in the brief are the customer's own.
    hidden, spared = redaction(), brief.told
    return lambda text: hidden.let_out(text, spared=spared)


def _without_secrets(document: ContentDocument) -> ContentDocument:
    # Files that are text lose them when they are written; a Word document is none.
    return ContentDocument.model_validate(each_text(document.model_dump(mode="json"), redaction().without_known))
