"""What `create_image` may be asked."""

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from maos.images import MOST_REFERENCES, AspectRatio, checked_prompt
from maos.rendering import literal
from maos.requests import RunRequest

# One contact sheet shows them all, large enough to choose from.
MOST_IMAGES = 8


class CreateImageRequest(RunRequest):
    """Ask for pictures of one description."""

    prompt: str = Field(
        title="Prompt",
        description="What the pictures show: A lighthouse at dusk, as a linocut in two colours.",
        min_length=1,
        max_length=16_000,
    )
    aspect_ratio: AspectRatio = Field(default="1:1", title="Aspect ratio", description="Width to height.")
    count: int = Field(
        default=1,
        title="Count",
        description="How many pictures to choose from; each is paid for.",
        ge=1,
        le=MOST_IMAGES,
    )
    references: tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...] = Field(
        default=(),
        title="Reference images",
        description="Paths of PNG, JPEG or WebP files that the pictures follow, such as a logo or a product.",
        max_length=MOST_REFERENCES,
    )

    @field_validator("prompt")
    @classmethod
    def _of_a_size_that_is_sent(cls, prompt: str) -> str:
        plain = "\n".join(prompt.strip().splitlines())
        # As a parameter it is a template: braces in it take more room there.
        checked_prompt(literal(plain))
        return plain
