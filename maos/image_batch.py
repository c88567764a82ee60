"""The pictures of one request: what was made, what is missing and why, and the manifest of what is let out."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import ArtifactRef
from maos.failures import FailureKind
from maos.images import ReferenceImage


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class MadePicture(_Value):
    """A picture with its thumbnail."""

    number: int
    file: ArtifactRef
    thumbnail: ArtifactRef
    prompt_digest: str = Field(description="SHA-256 of the prompt as it was sent.")
    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")
    engine: str = Field(description="Label of the engine that made it.")
    rehearsed: bool = Field(description="Whether it was drawn by rule, without the engine.")


class MissingPicture(_Value):
    """A picture that was asked for and not made."""

    number: int
    kind: FailureKind = Field(description="`declined`: the engine refused it for safety.")
    reason: str


class ImageBatch(_Value):
    """All that became of a request for pictures."""

    prompt: str
    references: tuple[ReferenceImage, ...] = ()
    pictures: tuple[MadePicture, ...] = Field(min_length=1)
    missing: tuple[MissingPicture, ...] = ()
    sheet: ArtifactRef = Field(description="All pictures on one page.")

    def chosen(self, leave_out: tuple[int, ...]) -> tuple[MadePicture, ...]:
        """Return the pictures that are not left out."""
        return tuple(picture for picture in self.pictures if picture.number not in leave_out)


class ManifestedReference(_Value):
    """What the engine was shown, by its checksum: where it lies is nobody's business."""

    sha256: str


class ImageManifest(_Value):
    """What was published, so that any reader can check it."""

    title: str
    run_id: UUID
    org: str
    rehearsal: bool
    prompt_digest: str
    references: tuple[ManifestedReference, ...] = ()
    pictures: tuple[MadePicture, ...]
    missing: tuple[MissingPicture, ...] = ()
    left_out: tuple[int, ...] = Field(default=(), description="Made, and not published.")
    contact_sheet: ArtifactRef


class PublishedImages(_Value):
    """Where pictures were published."""

    title: str
    pictures: tuple[ArtifactRef, ...]
    missing: tuple[MissingPicture, ...]
    contact_sheet: ArtifactRef
    manifest: ArtifactRef
