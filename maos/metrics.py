"""The figures of a report: what was read, what it adds up to, and how it moved."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from maos.comparison import Comparison
from maos.datasets import DatasetFacts, ReportShape
from maos.figures import Figure
from maos.periods import Grain


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class DatasetProfile(_Frozen):
    """What a data set was when the run read it."""

    facts: DatasetFacts
    duplicate_rows: int = Field(description="Rows that repeat an earlier row in every column.")
    duplicates_dropped: bool = Field(description="Whether they count once, because rows carry an identifier.")

    @property
    def counted_rows(self) -> int:
        """How many rows the figures are made of."""
        return self.facts.row_count - (self.duplicate_rows if self.duplicates_dropped else 0)


class Total(_Frozen):
    """All values of one measure."""

    measure: str
    sum: Figure
    mean: Figure | None
    minimum: Figure | None
    maximum: Figure | None
    count: int = Field(description="Rows with a number.")
    missing: int = Field(description="Rows without a value.")
    unparsable: int = Field(description="Values that are no number.")


class Amount(_Frozen):
    """A part of a measure's total."""

    measure: str
    sum: Figure
    share: Figure | None = Field(description="Percent of the total; nothing where the total is zero.")


class Slice(_Frozen):
    """The rows that have one value of a dimension."""

    value: str | None = Field(description="The value; null for rows without one.")
    rows: int
    amounts: tuple[Amount, ...] = Field(description="One for each measure, in their order.")


class Breakdown(_Frozen):
    """A dimension's values, ranked by the leading measure."""

    dimension: str
    distinct: int = Field(description="Different values in the data.")
    slices: tuple[Slice, ...]
    unlabelled: Slice | None = Field(default=None, description="Rows without a value.")
    rest: Slice | None = Field(default=None, description="The values that are not listed, added up.")


class Movement(_Frozen):
    """A measure in one period, against the periods it is compared with."""

    measure: str
    sum: Figure
    change: Figure | None = Field(description="Percent against the period just before.")
    change_on_year: Figure | None = Field(default=None, description="Percent against the same period a year before.")
    step: Figure | None = Field(default=None, description="Difference to the period just before.")


class Period(_Frozen):
    """One period of a trend."""

    label: str
    start: date
    rows: int
    movements: tuple[Movement, ...] = Field(description="One for each measure, in their order.")


class Trend(_Frozen):
    """How the measures moved over time."""

    column: str
    grain: Grain
    first: date = Field(description="Earliest date in the data.")
    last: date = Field(description="Latest date in the data.")
    periods: tuple[Period, ...]
    years: tuple[Period, ...] = Field(default=(), description="Complete calendar years.")
    undated: Slice | None = Field(default=None, description="Rows without a readable date.")


class Metrics(_Frozen):
    """Every figure that a report may state about its data."""

    shape: ReportShape
    rows: int = Field(description="Rows that were counted.")
    totals: tuple[Total, ...] = Field(description="One for each measure, in their order.")
    breakdowns: tuple[Breakdown, ...] = ()
    trend: Trend | None = None
    comparison: Comparison | None = Field(default=None, description="The latest complete period against earlier ones.")
