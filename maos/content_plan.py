"""The plan of `generate_content`: outline, drafts, checks, and the rounds that a check adds."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.autonomy import AutonomyLevel
from maos.content import most_content_bytes
from maos.content_brief import MOST_BRIEF_BYTES, Brief
from maos.content_request import MOST_VARIANTS, GenerateContentRequest
from maos.content_review import MOST_ROUNDS, ContentReview
from maos.plan_steps import service_step, writer_step
from maos.plans import Agent, OnFailure, Plan, PlanStep

READ = "read_brief"
OUTLINE = "write_outline"
PUBLISH = "publish_content"
_EDITOR = Agent(name="editor", persona="You are an editor who prints nothing that nobody can prove.")
_AUTHOR = Agent(name="author", persona="You write well, for the readers you are given, and only what you know.")


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadBriefParameters(_Parameters):
    """The brief."""

    brief: Brief


class WritingParameters(_Parameters):
    """How much a writer is told at most."""

    most_brief_bytes: int = Field(ge=1, le=MOST_BRIEF_BYTES, description="What the brief takes.")


class OutlineParameters(WritingParameters):
    """For how many variants a text is outlined."""

    variants: int = Field(ge=1, le=MOST_VARIANTS)


class DraftParameters(WritingParameters):
    """Which variant is written."""

    variant: int = Field(ge=1, le=MOST_VARIANTS)


class ReviseParameters(DraftParameters):
    """Which variant is written anew, and in which round."""

    round: int = Field(ge=2, le=MOST_ROUNDS)
    most_content_bytes: int = Field(ge=1, description="What the text of the round before can take.")


class CheckParameters(_Parameters):
    """Which round is checked."""

    round: int = Field(ge=1, le=MOST_ROUNDS)
    title: str = Field(min_length=1, max_length=200)


class PublishContentParameters(_Parameters):
    """Which variant is published; a reviewer may choose another one."""

    variant: int = Field(ge=1, le=MOST_VARIANTS, description="The one that is published.")


def content_plan(request: GenerateContentRequest) -> Plan:
    """Return the steps up to the first check, which adds what is then to be done."""
    size, numbers = request.brief.size, range(1, request.variants + 1)
    brief = ReadBriefParameters(brief=request.brief)
    outline = OutlineParameters(most_brief_bytes=size, variants=request.variants)
    return Plan(
        steps=(
            service_step(READ, _EDITOR, "Outline", brief),
            writer_step(OUTLINE, _AUTHOR, "Outline", outline, brief=READ),
            *(_draft(number, size, alone=request.variants == 1) for number in numbers),
            _check(1, request.title, {f"text_{number}": f"draft_{number}" for number in numbers}),
        )
    )


def steps_after(review: ContentReview, brief: Brief, title: str) -> tuple[JsonObject, ...]:
    """Return what follows a check: another round for what is flagged, or the question whether to publish."""
    steps = _round(review, brief, title) if review.to_revise else [_publish(review)]
    return tuple(step.model_dump(mode="json") for step in steps)


def _round(review: ContentReview, brief: Brief, title: str) -> Iterable[PlanStep]:
    number = review.round + 1
    texts = {f"text_{each.variant}": f"revise_{each.variant}_{number}" for each in review.to_revise}
    for at, each in enumerate(review.variants):
        if each.asks_for_revision:
            asked = ReviseParameters(
                most_brief_bytes=brief.size,
                variant=each.variant,
                round=number,
                most_content_bytes=most_content_bytes(brief),
            )
            step = texts[f"text_{each.variant}"]
            before = f"check_{review.round}.variants.{at}"
            revised = writer_step(
                "revise_content", _AUTHOR, f"Round {number}", asked, name=step, brief=READ, text=before
            )
            # A text with flags can be judged by a person; none cannot.
            yield revised.model_copy(update={"on_failure": OnFailure.CONTINUE})
    yield _check(number, title, {"before": f"check_{review.round}"} | texts)


def _publish(review: ContentReview) -> PlanStep:
    asked = PublishContentParameters(variant=review.best.variant)
    step = service_step(PUBLISH, _EDITOR, "Publish", asked, brief=READ, review=f"check_{review.round}")
    if not review.best.flags and len(review.variants) == 1:
        return step
    # A flag is judged and a variant chosen by a person, also where publishing by itself would ask nobody.
    return step.model_copy(update={"autonomy": AutonomyLevel.SUPERVISED})


def _draft(number: int, size: int, *, alone: bool) -> PlanStep:
    asked = DraftParameters(most_brief_bytes=size, variant=number)
    step = writer_step("draft_content", _AUTHOR, "Round 1", asked, name=f"draft_{number}", brief=READ, outline=OUTLINE)
    return step if alone else step.model_copy(update={"on_failure": OnFailure.CONTINUE})


def _check(number: int, title: str, inputs: dict[str, str]) -> PlanStep:
    asked = CheckParameters(round=number, title=title)
    return service_step(
        "check_content", _EDITOR, f"Round {number}", asked, name=f"check_{number}", brief=READ, **inputs
    )
