"""The parameters of the actions that make a report, as plans state them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.periods import Grain

# Enough for a thousand columns, and the most measures, dimensions and periods that a report can have.
MOST_DATA_BYTES = 380_000
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FurtherFile(_Parameters):
    """A file whose rows follow those of the data set."""

    dataset: str = Field(description="Path or address of the file.")
    digest: Digest = Field(description="SHA-256 of the file that the plan was made for.")


class ProfileParameters(_Parameters):
    """Which data set to profile."""

    dataset: str = Field(description="Path, or http(s) or s3 address, of the data set.")
    digest: Digest = Field(description="SHA-256 of the file that the plan was made for.")
    further: tuple[FurtherFile, ...] = Field(default=(), description="Files with the same columns, read after it.")


class AggregateParameters(ProfileParameters):
    """Which figures to add up, and along what."""

    measures: tuple[str, ...] = Field(min_length=1, description="Number columns to add up; the first one leads.")
    dimensions: tuple[str, ...] = Field(default=(), description="Columns to group by.")
    period_column: str | None = Field(default=None, description="Date column of the trend.")
    compare: Grain | None = Field(default=None, description="By which periods to compare; empty: as the data span.")


class ChartParameters(_Parameters):
    """Charts take everything from the figures."""


class NarrativeParameters(_Parameters):
    """For whom the narrative is written."""

    language: Literal["en"] = Field(default="en", description="Language of the narrative.")
    audience: str = Field(
        default="the board of the company", min_length=1, max_length=120, description="Who will read the report."
    )
    most_data_bytes: int = Field(
        default=MOST_DATA_BYTES, ge=1, le=MOST_DATA_BYTES, description="Most bytes of figures that the writer is sent."
    )


class PublishParameters(_Parameters):
    """What the published report says besides its figures."""

    title: str = Field(min_length=1, max_length=200, description="Title of the report.")
    note: str = Field(default="", max_length=1000, description="A note to the readers, under the title.")
