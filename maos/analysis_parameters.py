"""The parameters of the actions that answer a question about data, as plans state them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.report_parameters import Digest

MOST_TABLES = 8
# What the writer may be told of the tables and of a result.
MOST_TABLE_BYTES = 60_000
MOST_RESULT_BYTES = 20_000
LONGEST_QUERY_SECONDS = 600
TableName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)]
Question = Annotated[str, StringConstraints(min_length=3, max_length=1000, strip_whitespace=True)]


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableSource(_Parameters):
    """A data set, and what queries call it."""

    name: TableName = Field(description="Name of the table.")
    dataset: str = Field(description="Path, or http(s) or s3 address, of the data set.")
    digest: Digest = Field(description="SHA-256 of the file that the plan was made for.")


class ProfileTablesParameters(_Parameters):
    """Which data sets to profile as tables."""

    tables: tuple[TableSource, ...] = Field(min_length=1, max_length=MOST_TABLES, description="The tables.")


class WriteQueryParameters(_Parameters):
    """What the query has to answer."""

    question: Question = Field(description="The question about the tables.")
    most_data_bytes: int = Field(
        default=MOST_TABLE_BYTES, ge=1, le=MOST_TABLE_BYTES, description="Most bytes that the writer is told of tables."
    )


class RunQueryParameters(ProfileTablesParameters):
    """Which tables a query runs over, and how long."""

    query_seconds: int = Field(
        default=60, ge=1, le=LONGEST_QUERY_SECONDS, description="A query that takes longer is stopped."
    )


class DrawAnswerParameters(_Parameters):
    """The chart takes everything from the result."""


class WriteAnswerParameters(_Parameters):
    """Which question the result answers."""

    question: Question = Field(description="The question about the tables.")


class PresentAnswerParameters(_Parameters):
    """What the answer's page says besides what was computed."""

    title: str = Field(min_length=1, max_length=200, description="Title of the page.")
    question: Question = Field(description="The question about the tables.")
