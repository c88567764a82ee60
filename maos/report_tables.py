"""The tables and notes of a report, as text cells that every rendering shows alike."""

from collections.abc import Iterable
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from maos.charts import REST, UNLABELLED
from maos.datasets import ColumnFacts, ColumnKind
from maos.figures import NO_FIGURE, shown, shown_change, shown_percent
from maos.labels import heading, phrase, printable
from maos.metrics import Breakdown, DatasetProfile, Metrics, Period, Slice, Total, Trend
from maos.periods import Grain, name_of

_LONGEST_CELL = 80
_QUALITIES = ("Missing", "Unreadable", "Other format", "Ambiguous", "Different", "From", "To")


class Column(BaseModel):
    """A table's column."""

    model_config = ConfigDict(frozen=True)

    title: str
    numeric: bool = False


class Table(BaseModel):
    """A table of a report; the first cell of each row names it."""

    model_config = ConfigDict(frozen=True)

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


class Note(BaseModel):
    """A term of the methods note and what it says."""

    model_config = ConfigDict(frozen=True)

    term: str
    text: str


def tables_of(profile: DatasetProfile, metrics: Metrics) -> tuple[Table, ...]:
    """Return every table of a report, in its order."""
    trend = metrics.trend
    return (
        totals_table(metrics.totals),
        *(_breakdown_table(breakdown) for breakdown in metrics.breakdowns),
        *((_years_table(trend),) if trend and trend.years else ()),
        *((_trend_table(trend),) if trend else ()),
        _quality_table(profile),
    )


def totals_table(totals: Iterable[Total]) -> Table:
    """Return the table of the measures as a whole."""
    return Table(
        title="Totals",
        caption="Each measure over all rows that have a number for it.",
        columns=_columns("Measure", "Sum", "Mean", "Smallest", "Largest", "Rows with a number"),
        rows=tuple(
            (
                heading(total.measure),
                shown(total.sum),
                *(_or_nothing(value) for value in (total.mean, total.minimum, total.maximum)),
                f"{total.count:,}",
            )
            for total in totals
        ),
    )


def _breakdown_table(breakdown: Breakdown) -> Table:
    parts = [(printable(part.value or "", _LONGEST_CELL), part) for part in breakdown.slices]
    parts += [(f"{REST} ({breakdown.distinct - len(breakdown.slices):,})", breakdown.rest)] if breakdown.rest else []
    parts += [(UNLABELLED, breakdown.unlabelled)] if breakdown.unlabelled else []
    measures = [amount.measure for amount in parts[0][1].amounts]
    name = heading(breakdown.dimension)
    return Table(
        title=f"By {phrase(breakdown.dimension)}",
        caption=f"{breakdown.distinct:,} different values, ranked by {phrase(measures[0])}; shares of the whole.",
        columns=_columns(name, "Rows", *(title for each in measures for title in (heading(each), "Share"))),
        rows=tuple((label, f"{part.rows:,}", *_amounts(part)) for label, part in parts),
    )


def _amounts(part: Slice) -> list[str]:
    return [cell for amount in part.amounts for cell in (shown(amount.sum), shown_percent(amount.share))]


def _years_table(trend: Trend) -> Table:
    return _periods_table(trend.years, "By year", "Complete calendar years, each against the year before.", Grain.YEAR)


def _trend_table(trend: Trend) -> Table:
    caption = (
        f"By {phrase(trend.column)}, each {trend.grain.value} against the one before and the same one a year before."
    )
    return _periods_table(trend.periods, f"By {trend.grain.value}", caption, trend.grain, trend.undated)


def _periods_table(
    periods: tuple[Period, ...], title: str, caption: str, grain: Grain, undated: Slice | None = None
) -> Table:
    with_year = grain is not Grain.YEAR
    titles = ("Change", "On the year") if with_year else ("Change",)
    measures = [move.measure for move in periods[0].movements]
    rows = [
        (
            period.label,
            f"{period.rows:,}",
            *(
                cell
                for move in period.movements
                for cell in (
                    shown(move.sum),
                    shown_change(move.change),
                    *((shown_change(move.change_on_year),) if with_year else ()),
                )
            ),
        )
        for period in periods
    ]
    return Table(
        title=title,
        caption=caption,
        columns=_columns("Period", "Rows", *(text for each in measures for text in (heading(each), *titles))),
        rows=(*rows, *([_undated_row(undated, len(titles))] if undated else [])),
    )


def _undated_row(undated: Slice, changes: int) -> tuple[str, ...]:
    cells = (cell for amount in undated.amounts for cell in (shown(amount.sum), *[NO_FIGURE] * changes))
    return ("(no date)", f"{undated.rows:,}", *cells)


def _quality_table(profile: DatasetProfile) -> Table:
    return Table(
        title="Data quality",
        caption=(
            "Each column of the data: values that are missing, that do not fit its kind, that are written unlike most,"
            " and that could be read otherwise."
        ),
        columns=(
            Column(title="Column"),
            Column(title="Kind"),
            *(Column(title=title, numeric=True) for title in _QUALITIES),
            Column(title="Unreadable are"),
        ),
        rows=tuple(_quality_row(column) for column in profile.facts.columns),
    )


def _quality_row(column: ColumnFacts) -> tuple[str, ...]:
    found = (column.missing, column.unparsable, column.other_format, column.ambiguous, column.distinct)
    counts = (f"{count:,}" for count in found)
    return (
        printable(column.name, _LONGEST_CELL) or "(unnamed)",
        column.kind.value,
        *counts,
        *(_limit(column, text) for text in (column.minimum, column.maximum)),
        ", ".join(f"“{value}”" for value in column.examples) or NO_FIGURE,
    )


def _limit(column: ColumnFacts, text: str | None) -> str:
    if text is None:
        return NO_FIGURE
    return shown(Decimal(text)) if column.kind is ColumnKind.NUMBER else text


def _columns(first: str, *numeric: str) -> tuple[Column, ...]:
    return (Column(title=first), *(Column(title=title, numeric=True) for title in numeric))


def _or_nothing(value: Decimal | None) -> str:
    return NO_FIGURE if value is None else shown(value)


def period_covered(trend: Trend | None) -> str:
    """Return the first and the last day of the data in words."""
    if trend is None:
        return "no dates"
    return f"{name_of(trend.first, Grain.DAY)} to {name_of(trend.last, Grain.DAY)}"
