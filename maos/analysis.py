"""What an analysis knows: its tables, the query that was written for a question, and what the query gave."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.datasets import ColumnKind
from maos.figures import Figure
from maos.metrics import DatasetProfile

# Rows of a result that are kept and shown.
MOST_ROWS = 200
MOST_COLUMNS = 60
LONGEST_CELL = 200
Remark = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class TableColumn(_Frozen):
    """A column as queries see it."""

    name: str
    type: str = Field(description="Its SQL type; what does not fit it is NULL.")
    values: tuple[str, ...] = Field(default=(), description="Its most frequent values, where it has few.")


class AnalysisTable(_Frozen):
    """A data set as a table that can be queried."""

    name: str = Field(description="What queries call it.")
    profile: DatasetProfile
    columns: tuple[TableColumn, ...]


class AnalysisTables(_Frozen):
    """Every table of an analysis."""

    tables: tuple[AnalysisTable, ...]

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The columns of each table, by its name."""
        return {table.name: tuple(column.name for column in table.columns) for table in self.tables}


class KeyIs(StrEnum):
    """Which figure of a result is its key figure."""

    FIRST_ROW = "first_row"
    SUM = "sum"
    ROW_COUNT = "row_count"


class WrittenQuery(_Frozen):
    """How a question is asked of the tables, or why they cannot answer it."""

    answerable: bool = Field(description="Whether the tables hold what the question asks for.")
    missing: tuple[Remark, ...] = Field(
        default=(), description="If they do not: each thing that is missing, in words.", max_length=10
    )
    sql: str = Field(default="", description="The SELECT that answers the question.")
    key_is: KeyIs = Field(
        default=KeyIs.FIRST_ROW,
        description=(
            "Which figure is the key figure: key_column in the first row, the sum of key_column over all rows, or the"
            " number of rows."
        ),
    )
    key_column: str = Field(default="", description="The number column of the result with the key figure.")
    check_sql: str = Field(
        default="", description="Another SELECT that computes the key figure alone, in a different way."
    )
    assumptions: tuple[Remark, ...] = Field(
        default=(), description="What was assumed to read the question, one sentence each.", max_length=10
    )


class ResultColumn(_Frozen):
    """A column of a result."""

    name: str
    kind: ColumnKind


class CrossCheck(_Frozen):
    """The key figure, computed twice."""

    label: str = Field(description="What the figure is.")
    value: Figure | None = Field(description="By the query; nothing where it gave none.")
    check: Figure | None = Field(description="By the second formulation.")
    agrees: bool


class QueryResult(_Frozen):
    """What the query gave."""

    answered: bool = Field(description="Whether the data could answer; nothing was computed otherwise.")
    columns: tuple[ResultColumn, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    row_count: int = Field(default=0, description="Rows of the whole result; at most the first ones are kept.")
    sql: str = Field(default="", description="The query as it ran.")
    check_sql: str = ""
    read: tuple[str, ...] = Field(default=(), description="The columns that the query reads, in lower case.")
    cross_check: CrossCheck | None = None

    @property
    def cut(self) -> bool:
        """Whether it has more rows than are kept."""
        return self.row_count > len(self.rows)
