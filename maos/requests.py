"""What each entrypoint may be asked: the forms of the Prefect UI and of `maos run`."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.autonomy import AutonomyLevel

EmailAddress = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", to_lower=True, strip_whitespace=True, max_length=254),
]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


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


class DatasetRequest(RunRequest):
    """What a request about one data set says."""

    dataset: str = Field(
        title="Data set",
        description="Path or http(s) address of a CSV, Parquet or JSON file.",
        min_length=1,
        max_length=2000,
    )


class GenerateReportRequest(DatasetRequest):
    """Ask for a report over one data set."""

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
