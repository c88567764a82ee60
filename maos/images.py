"""What an image is asked for with, which model makes it, and what is left of it."""

import hashlib
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from maos.actions import ActionSpec, ArtifactRef
from maos.engines import EngineType
from maos.rendering import TemplateText
from maos.risk import RiskLevel

# Locked: this is the only place that names it, and nothing configures another.
IMAGE_MODEL = "gemini-3.1-flash-image"
# A picture of the size below takes 1,120 tokens; the rest is room for thinking. The request states this limit.
MAX_OUTPUT_TOKENS = 4096
IMAGE_SIZE = "1K"
LONGEST_PROMPT_BYTES = 16_000
# Each is sent with every try.
MOST_REFERENCES = 4
# The vendor says 560 of its image models, and 2,240 of the finest resolution that any of its models reads a picture
# with (ai.google.dev/gemini-api/docs/media-resolution): that much is reserved.
REFERENCE_TOKENS = 2240

AspectRatio = Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "21:9"]


def checked_prompt(prompt: str) -> str:
    """Return a prompt that may be sent.

    Raises:
        ValueError: when it says nothing, or is longer than what is priced.
    """
    if not prompt.strip():
        raise ValueError("a picture of nothing")
    if (size := len(prompt.encode())) > LONGEST_PROMPT_BYTES:
        raise ValueError(f"{size:,} bytes of UTF-8; at most {LONGEST_PROMPT_BYTES:,} are sent")
    return prompt


class ReferenceImage(BaseModel):
    """A picture that the engine is shown: the file that the plan was made for, and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(min_length=1, max_length=1000, description="Path of a PNG, JPEG or WebP file.")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file.")


class ImageParameters(BaseModel):
    """What the picture shall show, and its shape."""

    # A field that is not known is refused: there is none for a model.
    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: TemplateText = Field(description="What the picture shows; may read the step's inputs.")
    aspect_ratio: AspectRatio = Field(default="1:1", description="Width to height.")
    references: tuple[ReferenceImage, ...] = Field(
        default=(), max_length=MOST_REFERENCES, description="Pictures that the engine is shown beside the prompt."
    )

    @field_validator("prompt")
    @classmethod
    def _of_a_size_that_was_priced(cls, prompt: str) -> str:
        return checked_prompt(prompt)


class CreatedImage(BaseModel):
    """A picture in the run's folder."""

    model_config = ConfigDict(frozen=True)

    file: ArtifactRef
    prompt_digest: str = Field(description="SHA-256 of the prompt as it was sent.")
    width: int = Field(gt=0, description="Pixels.")
    height: int = Field(gt=0, description="Pixels.")
    rehearsed: bool = Field(description="Whether it was drawn by rule, without the engine.")


CREATE_IMAGE = ActionSpec(
    name="create_image",
    engine=EngineType.GEMINI_IMAGE,
    # It leaves a file in the run's folder and nothing else; what lets the file out has a risk of its own.
    risk=RiskLevel.LOW,
    title="Create a picture from a description, as a file of the run.",
    parameters=ImageParameters,
    open_inputs=True,
    output=CreatedImage,
    read_only=True,
)


def is_locked_model(name: str) -> bool:
    """Say whether a model, as an answer names it, is the locked one: itself, a preview or a numbered release of it."""
    return re.fullmatch(rf"(models/)?{re.escape(IMAGE_MODEL)}(-preview[-\w]*|-\d+)?", name) is not None


def prompt_of(parameters: ImageParameters, *, persona: str) -> str:
    """Return the prompt as it is sent for an agent who is somebody."""
    return f"{persona}\n\n{parameters.prompt}" if persona else parameters.prompt


def longest_prompt_bytes(persona: str) -> int:
    """Return how long a prompt can become, before what it reads is known, in bytes of UTF-8."""
    return LONGEST_PROMPT_BYTES + len(f"{persona}\n\n".encode())


def most_sent(prompt_bytes: int, references: int) -> int:
    """Return what is sent at most, in bytes that become a token each: those of the prompt, and what pictures become."""
    return prompt_bytes + references * REFERENCE_TOKENS


def digest_of_prompt(prompt: str) -> str:
    """Return the SHA-256 of a prompt."""
    return hashlib.sha256(prompt.encode()).hexdigest()
