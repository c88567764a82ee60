"""What each entrypoint may be asked: the forms of the Prefect UI and of `maos run`."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.analysis_parameters import LONGEST_QUERY_SECONDS, MOST_TABLES, Question
from maos.autonomy import AutonomyLevel
from maos.periods import Grain
from maos.plans import MAX_PARALLELISM
from maos.references import StepId

MOST_FURTHER_FILES = 50

EmailAddress = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", to_lower=True, strip_whitespace=True, max_length=254),
]
DatasetName = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RetryOf(BaseModel):
    """Which ended run a new run takes up, and from where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: UUID = Field(title="Run", description="The run whose finished steps are reused.")
    from_step: StepId | None = Field(
        default=None, title="From step", description="Done again with all that depends on it, although it is finished."
    )


class RunRequest(BaseModel):
    """What every request says: for whom, by whom, and within which limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    org: str = Field(title="Organisation", description="Slug of the organisation the run works for.", max_length=63)
    initiator: EmailAddress = Field(
        title="Initiator", description="Email address of the person who asks; they may not approve their own run."
    )
    title: str = Field(title="Title", description="What the result is called.", min_length=1, max_length=200)
    autonomy: AutonomyLevel | None = Field(
        default=None,
        title="Autonomy",
        description="How much may run unasked. A request can only be stricter than the organisation.",
    )
    cost_cap_usd: Decimal | None = Field(
        default=None,
        title="Cost cap in USD",
        description="The run stops before a call that could pass this amount. Empty: the organisation's budgets alone.",
        gt=0,
        max_digits=18,
        decimal_places=8,
    )
    parallelism: int | None = Field(
        default=None,
        title="Steps at once",
        description="Most steps under way at the same time. Empty: as the plan says.",
        ge=1,
        le=MAX_PARALLELISM,
    )
    retry: RetryOf | None = Field(
        default=None, title="Retry of", description="Reuse what an earlier run with the same request has finished."
    )
    approve_plan: bool = Field(
        default=False,
        title="Approve the plan at once",
        description="Ask for everything that is known before the first step; a step that would do other things asks.",
    )
    team: str | None = Field(
        default=None,
        title="Team",
        description="The team that the run works for: its part of the organisation's policy and its budgets hold.",
        max_length=63,
    )
    token_cap: int | None = Field(
        default=None,
        title="Cap of tokens",
        description="The run stops before a call that could pass so many tokens of paid engines. Empty: no cap.",
        ge=1,
    )
    call_cap: int | None = Field(
        default=None,
        title="Cap of calls",
        description="The run stops before a call of a paid engine beyond so many. Empty: no cap.",
        ge=1,
    )


class DatasetRequest(RunRequest):
    """What a request about one data set says."""

    dataset: str = Field(
        title="Data set",
        description="Path, or http(s) or s3 address, of a CSV, Parquet, JSON or Excel file; its sheet behind a #.",
        min_length=1,
        max_length=2000,
    )


class GenerateReportRequest(DatasetRequest):
    """Ask for a report over one data set."""

    further_datasets: tuple[DatasetName, ...] = Field(
        default=(),
        title="More files",
        description="Files with the same columns, in any order and format: their rows are added to the data set's.",
        max_length=MOST_FURTHER_FILES,
    )
    measures: tuple[ColumnName, ...] = Field(
        default=(),
        title="Measures",
        description="Number columns to add up. Empty: found by their values.",
        max_length=8,
    )
    dimensions: tuple[ColumnName, ...] = Field(
        default=(),
        title="Dimensions",
        description="Text columns to group by. Empty: found by their values.",
        max_length=8,
    )
    period_column: ColumnName | None = Field(
        default=None, title="Period column", description="Date column of the trend. Empty: the first date column."
    )
    compare: Grain | None = Field(
        default=None,
        title="Compare by",
        description="The latest complete day, week, month, quarter or year is compared with the one before. Empty: as"
        " the data span.",
    )


class AnalyzeDataRequest(RunRequest):
    """Ask a question about one or more tables."""

    question: Question = Field(
        title="Question",
        description="What you want to know, in English: Which region sold the most in 2025?",
    )
    datasets: tuple[DatasetName, ...] = Field(
        title="Data sets",
        description="Paths, or http(s) or s3 addresses, of CSV, Parquet, JSON or Excel files; each becomes a table.",
        min_length=1,
        max_length=MOST_TABLES,
    )
    query_seconds: int = Field(
        default=60,
        title="Longest query in seconds",
        description="A query that takes longer is stopped.",
        ge=1,
        le=LONGEST_QUERY_SECONDS,
    )
