"""What is known of a data set, and what a report takes from it: measures, dimensions, a period."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from maos.dataset_addresses import address_of, is_object
from maos.errors import BadInput
from maos.labels import printable, words_of
from maos.readings import Reading

MOST_MEASURES = 3
MOST_DIMENSIONS = 3
# More values than this make a list of names, not a dimension.
_MOST_VALUES = 40
# Of ten values one may be dirt, and the column is still what the others say.
_TYPICAL_PERCENT = 90
# Enough to recognise a value by, and too little for most of what should not be shown.
LONGEST_EXAMPLE = 24
_YEARS = range(1900, 2101)
# An error shall stay readable where a table has hundreds of columns.
_MOST_NAMED = 40

# The last word of a name says what it holds: `order_number` identifies, `number_of_orders` counts.
_IDENTIFIES = frozenset((
    "id", "ids", "key", "code", "no", "nr", "num", "number", "ref", "sku", "ean", "gtin", "uuid", "guid", "zip", "plz",
    "postcode", "phone", "year", "month", "day", "week", "quarter", "weekday", "hour", "lat", "latitude", "lon", "lng",
    "longitude",
))  # fmt: skip
# Values of one unit each: adding them up means nothing.
_PER_UNIT = frozenset((
    "price", "rate", "percent", "pct", "percentage", "ratio", "share", "discount", "margin", "score", "rating", "age",
    "average", "avg",
))  # fmt: skip
_LEADS = frozenset(("revenue", "sales", "turnover", "amount", "total", "value", "income", "cost", "spend", "profit"))


class ColumnKind(StrEnum):
    """What the values of a column are."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"


class DatasetFormat(StrEnum):
    """A file format that data sets may have."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    EXCEL = "excel"


class ColumnFacts(BaseModel):
    """What the values of one column look like."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ColumnKind
    missing: int = Field(description="Rows without a value.")
    unparsable: int = Field(default=0, description="Values that are not of the column's kind.")
    distinct: int = Field(description="Different values.")
    whole: bool = Field(default=False, description="Whether every number is an integer.")
    minimum: str | None = Field(default=None, description="Smallest number or first date; nothing for text.")
    maximum: str | None = Field(default=None, description="Largest number or last date; nothing for text.")
    reading: Reading | None = Field(default=None, description="How its values are read; nothing where all are plain.")
    other_format: int = Field(
        default=0, description="Values that are written unlike most of the column, and were read."
    )
    ambiguous: int = Field(default=0, description="Values that could be read otherwise, which the column leaves open.")
    other_currency: int = Field(default=0, description="Unreadable values that are in another currency.")
    examples: tuple[str, ...] = Field(default=(), description="Values that could not be read, shortened.")


def content_of(sha256: str, format_: DatasetFormat, sheet: str) -> str:
    """Return what tells the content that is read of a file from others."""
    return f"{sha256} {format_} {sheet}"


class FileFacts(BaseModel):
    """One of the files that a data set is made of."""

    model_config = ConfigDict(frozen=True)

    source: str = Field(description="Path or address as it was given.")
    format: DatasetFormat
    sha256: str
    size: int = Field(description="Bytes.")
    sheet: str = Field(default="", description="Sheet that was read, of a spreadsheet.")
    header_row: int = Field(default=1, description="Row of the sheet that names the columns.")
    row_count: int = Field(description="Rows that could be read.")
    unreadable_rows: int = Field(default=0, description="Lines that are no row of this table.")

    @property
    def content(self) -> str:
        """What tells its content from others."""
        return content_of(self.sha256, self.format, self.sheet)

    @property
    def display_name(self) -> str:
        """The name that a reader may see."""
        return display_name(self.source)


class DatasetFacts(BaseModel):
    """What a data set was when it was looked at."""

    model_config = ConfigDict(frozen=True)

    source: str = Field(description="Path or address as it was given.")
    format: DatasetFormat
    sha256: str
    size: int = Field(description="Bytes.")
    row_count: int = Field(description="Rows that could be read.")
    unreadable_rows: int = Field(default=0, description="Lines that are no row of this table.")
    columns: tuple[ColumnFacts, ...]
    files: tuple[FileFacts, ...] = Field(default=(), description="Each file that it is made of.")

    @property
    def content(self) -> str:
        """What tells the content of its files from others; nothing where it has none."""
        return ", ".join(file.content for file in self.files)

    @property
    def display_name(self) -> str:
        """The name that a reader may see: no folders of this machine, no secrets of an address."""
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{display_name(self.source)}{more}"

    def column(self, name: str) -> ColumnFacts:
        """Return the facts of a column that is known to exist."""
        return next(column for column in self.columns if column.name == name)


def display_name(dataset: str) -> str:
    """Return a data set's name without folders of this machine, secrets of an address, and its sheet."""
    place = address_of(dataset).place
    if is_object(place):
        return printable(place, longest=200)
    parts = urlsplit(place)
    if parts.scheme in {"http", "https"}:
        return printable(f"{parts.scheme}://{parts.hostname}{parts.path}", longest=200)
    return printable(place.replace("\\", "/").rsplit("/", 1)[-1], longest=200)


class ReportShape(BaseModel):
    """What a report measures, and along what."""

    model_config = ConfigDict(frozen=True)

    measures: tuple[str, ...] = Field(description="Number columns to add up; the first one leads.")
    dimensions: tuple[str, ...] = Field(default=(), description="Columns to group by.")
    period_column: str | None = Field(default=None, description="Date column of the trend.")


def kind_of(*, present: int, numbers: int, dates: int, booleans: int) -> ColumnKind:
    """Say what a column holds, from how many of its values can be read as what."""
    if present and booleans == present:
        return ColumnKind.BOOLEAN
    if present and numbers * 100 >= present * _TYPICAL_PERCENT:
        return ColumnKind.NUMBER
    if present and dates * 100 >= present * _TYPICAL_PERCENT:
        return ColumnKind.DATE
    return ColumnKind.TEXT


def is_rate(name: str) -> bool:
    """Say whether a column holds values of one unit each, such as prices and percentages."""
    return not _PER_UNIT.isdisjoint(words_of(name))


def is_leading(name: str) -> bool:
    """Say whether a column is, by its name, what a table is about in money."""
    return not _LEADS.isdisjoint(words_of(name))


def is_countable(column: ColumnFacts) -> bool:
    """Say whether a column holds numbers that can be added up: neither identifiers nor years."""
    return _is_number(column) and not _identifies(column) and not _is_year(column)


def has_identifier(facts: DatasetFacts) -> bool:
    """Say whether rows carry an identifier, so that a row repeated in full is the same row twice."""
    return any(_identifies(column) and column.distinct * 2 >= facts.row_count for column in facts.columns)


def choose_shape(
    facts: DatasetFacts,
    *,
    measures: Sequence[str] = (),
    dimensions: Sequence[str] = (),
    period_column: str | None = None,
) -> ReportShape:
    """Complete what a request says about its columns; what it leaves empty is found by the values.

    Raises:
        BadInput: when a column does not exist, cannot serve as what it is named for, or is named twice.
    """
    _check("measures", measures, facts.columns, _is_number)
    _check("dimensions", dimensions, facts.columns, lambda column: column.kind is not ColumnKind.DATE)
    _check("period_column", [period_column] if period_column else [], facts.columns, _is_date)
    _check_disjoint(measures, dimensions, facts.columns)
    chosen = tuple(measures) or _likely_measures(facts, dimensions)
    if not chosen:
        raise BadInput("dataset", facts.display_name, "a table with a column of numbers")
    return ReportShape(
        measures=chosen,
        dimensions=tuple(dimensions) or _likely_dimensions(facts, chosen),
        period_column=period_column or next((column.name for column in facts.columns if _is_date(column)), None),
    )


def _check(
    field: str, names: Sequence[str], columns: Iterable[ColumnFacts], serves: Callable[[ColumnFacts], bool]
) -> None:
    allowed = [column.name for column in columns if serves(column)]
    for position, name in enumerate(names):
        if name not in allowed:
            raise BadInput(field, name, _choice(allowed))
        if name in names[:position]:
            raise BadInput(field, name, "each column once")


def _check_disjoint(measures: Sequence[str], dimensions: Sequence[str], columns: Iterable[ColumnFacts]) -> None:
    for name in dimensions:
        if name in measures:
            others = [column.name for column in columns if column.name not in measures]
            raise BadInput("dimensions", name, f"a column that is not measured: {_choice(others)}")


def _choice(names: Sequence[str]) -> str:
    listed = [printable(name) for name in names[:_MOST_NAMED]]
    more = [f"and {len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return ", ".join(listed + more) or "none (the data set has no such column)"


def _likely_measures(facts: DatasetFacts, dimensions: Sequence[str]) -> tuple[str, ...]:
    numbers = [column for column in facts.columns if _is_number(column) and column.name not in dimensions]
    counting = [column.name for column in numbers if is_countable(column)]
    additive = [name for name in counting if not is_rate(name)]
    # Stable: besides the leading names, the order of the file stays.
    ranked = sorted(additive or counting, key=lambda name: not is_leading(name))
    return tuple(ranked[:MOST_MEASURES])


def _likely_dimensions(facts: DatasetFacts, measures: Sequence[str]) -> tuple[str, ...]:
    most = min(_MOST_VALUES, facts.row_count // 2)
    names = [
        column.name
        for column in facts.columns
        if column.kind in {ColumnKind.TEXT, ColumnKind.BOOLEAN}
        and 2 <= column.distinct <= most
        and column.name not in measures
    ]
    return tuple(names[:MOST_DIMENSIONS])


def _is_number(column: ColumnFacts) -> bool:
    return column.kind is ColumnKind.NUMBER


def _is_date(column: ColumnFacts) -> bool:
    return column.kind is ColumnKind.DATE


def _identifies(column: ColumnFacts) -> bool:
    return bool(_IDENTIFIES.intersection(words_of(column.name)[-1:]))


def _is_year(column: ColumnFacts) -> bool:
    if not (column.whole and column.minimum and column.maximum):
        return False
    return int(column.minimum) in _YEARS and int(column.maximum) in _YEARS
