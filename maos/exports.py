"""What an export of an organisation says of itself, and the digest that stands for all of it."""

from pydantic import BaseModel, ConfigDict

from maos.canonical import digest_of

FORMAT = "maos organisation export, version 1"


class ExportedFile(BaseModel):
    """One file of an export: its lines are rows."""

    model_config = ConfigDict(frozen=True)

    name: str
    rows: int
    sha256: str


class Manifest(BaseModel):
    """Every file of an export; two exports of the same organisation in the same state have the same manifest."""

    model_config = ConfigDict(frozen=True)

    format: str = FORMAT
    organization: str
    files: tuple[ExportedFile, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the manifest."""
        return digest_of(self.model_dump(mode="json"))
