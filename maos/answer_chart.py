"""Which chart shows a result, if any: a line over time, bars over groups, nothing for a single figure."""

import re
from decimal import Decimal

from maos.analysis import QueryResult, ResultColumn
from maos.charts import UNLABELLED, ChartKind, ChartSpec
from maos.datasets import ColumnKind
from maos.figures import rounded
from maos.labels import heading, phrase, printable

_MOST_BARS = 20
_MOST_POINTS = 200
_LONGEST_TICK = 28
_TOLD = 5
# Months, quarters and years as text; whole numbers that are years.
_PERIOD = re.compile(r"(?:1[89]|2[01])[0-9]{2}(?:-(?:[0-9]{2}|Q[1-4]))?", re.IGNORECASE)


def chart_for(result: QueryResult, *, key_column: str) -> ChartSpec | None:
    """Return the chart for a result of at least two named figures."""
    label = _label_column(result)
    numbers = [at for at, column in enumerate(result.columns) if column.kind is ColumnKind.NUMBER and at != label]
    if label is None or not numbers:
        return None
    value = next((at for at in numbers if result.columns[at].name == key_column), numbers[0])
    points = [(row[label], Decimal(cell)) for row in result.rows if (cell := row[value]) is not None]
    if len(points) < 2:
        return None
    if _is_course(result, label, [name for name, _ in points]):
        return _line(result.columns[label], result.columns[value], points[:_MOST_POINTS])
    return _bars(result.columns[label], result.columns[value], points)


def _label_column(result: QueryResult) -> int | None:
    """Return the column that names the rows: the first that is no number, or years in the first one."""
    named = next((at for at, column in enumerate(result.columns) if column.kind is not ColumnKind.NUMBER), None)
    if named is None and len(result.columns) > 1 and _all_periods([row[0] for row in result.rows]):
        return 0
    return named


def _is_course(result: QueryResult, label: int, names: list[str | None]) -> bool:
    if result.columns[label].kind is not ColumnKind.DATE and not _all_periods(names):
        return False
    present = [name for name in names if name is not None]
    # In another order it is a ranking of periods.
    return len(present) == len(names) and present == sorted(present) and len(set(present)) == len(present)


def _all_periods(names: list[str | None]) -> bool:
    return bool(names) and all(name is not None and _PERIOD.fullmatch(name) for name in names)


def _line(label: ResultColumn, value: ResultColumn, points: list[tuple[str | None, Decimal]]) -> ChartSpec:
    best = max(points, key=lambda point: point[1])
    return ChartSpec(
        name="answer-chart",
        kind=ChartKind.LINE,
        title=f"{heading(value.name)} by {phrase(label.name)}",
        alt=(
            f"Line from {points[0][0]} with {rounded(points[0][1])} to {points[-1][0]} with {rounded(points[-1][1])};"
            f" highest in {best[0]} with {rounded(best[1])}."
        ),
        labels=tuple(name or "" for name, _ in points),
        values=tuple(figure for _, figure in points),
    )


def _bars(label: ResultColumn, value: ResultColumn, points: list[tuple[str | None, Decimal]]) -> ChartSpec:
    shown = [(printable(name or UNLABELLED, _LONGEST_TICK), figure) for name, figure in points[:_MOST_BARS]]
    told = "; ".join(f"{name} {rounded(figure)}" for name, figure in shown[:_TOLD])
    first = f" (the first {len(shown)} of {len(points)})" if len(points) > len(shown) else ""
    return ChartSpec(
        name="answer-chart",
        kind=ChartKind.BARS,
        title=f"{heading(value.name)} by {phrase(label.name)}{first}",
        alt=f"Bars: {told}{' and more' if len(shown) > _TOLD else ''}.",
        labels=tuple(name for name, _ in shown),
        values=tuple(figure for _, figure in shown),
        remarks=tuple(rounded(figure) for _, figure in shown),
    )
