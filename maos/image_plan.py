"""The plan of `create_image`: a step for each picture, the contact sheet, and one publication of them all."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from maos.engines import EngineType
from maos.image_request import MOST_IMAGES, CreateImageRequest
from maos.images import LONGEST_PROMPT_BYTES, ImageParameters, ReferenceImage
from maos.plan_steps import service_step
from maos.plans import Agent, OnFailure, Plan, PlanStep, RetryPolicy
from maos.rendering import literal

COLLECT, PUBLISH = "collect_images", "publish_images"
_RETRY = RetryPolicy(attempts=4, first_delay_seconds=2)
# Without a persona: the prompt is sent as it was written.
_ILLUSTRATOR = Agent(name="illustrator")
_PUBLISHER = Agent(name="publisher", persona="You let out only what has been approved.")


class CollectParameters(BaseModel):
    """Which pictures belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = Field(description="What they were asked to show.", min_length=1, max_length=LONGEST_PROMPT_BYTES)
    count: int = Field(ge=1, le=MOST_IMAGES, description="How many were asked for.")
    references: tuple[ReferenceImage, ...] = Field(default=(), description="What the engine was shown.")


class PublishImagesParameters(BaseModel):
    """Which of the pictures are let out, under which title."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=200, description="Title of the pictures.")
    leave_out: tuple[int, ...] = Field(
        default=(), max_length=MOST_IMAGES, description="Numbers of pictures that stay inside the run."
    )


def image_plan(request: CreateImageRequest, references: Sequence[ReferenceImage]) -> Plan:
    """Return a step for each picture, all side by side, then the sheet that shows them, then their publication."""
    asked = ImageParameters(
        prompt=literal(request.prompt), aspect_ratio=request.aspect_ratio, references=tuple(references)
    )
    images = tuple(_image(number, asked) for number in range(1, request.count + 1))
    collect = CollectParameters(prompt=request.prompt, count=request.count, references=tuple(references))
    publish = PublishImagesParameters(title=request.title)
    return Plan(
        steps=(
            *images,
            service_step(COLLECT, _PUBLISHER, "Contact sheet", collect, **{step.id: step.id for step in images}),
            service_step(PUBLISH, _PUBLISHER, "Publication", publish, batch=COLLECT),
        )
    )


def image_id(number: int) -> str:
    """Return the step that makes a picture, which is also the name of its file."""
    return f"image_{number:02}"


def _image(number: int, asked: ImageParameters) -> PlanStep:
    return PlanStep(
        id=image_id(number),
        agent=_ILLUSTRATOR,
        phase="Pictures",
        engine=EngineType.GEMINI_IMAGE,
        action="create_image",
        parameters=asked.model_dump(mode="json"),
        retry=_RETRY,
        # A picture that is refused keeps the others from nobody; the contact sheet says which is missing, and why.
        on_failure=OnFailure.CONTINUE,
    )
