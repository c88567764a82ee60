"""How long the data of a report can become, by what is known of its data set when the report is planned.

The longest figures that can be are written down and measured: every list is full, every number has all its digits.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from maos.aggregates import MOST_SLICES
from maos.comparison import (
    MOST_MOVERS,
    ComparedMeasure,
    ComparedPeriods,
    Comparison,
    DimensionMovers,
    Mover,
)
from maos.datasets import ColumnFacts, DatasetFacts, ReportShape
from maos.labels import LONGEST_LABEL
from maos.metrics import Amount, Breakdown, DatasetProfile, Metrics, Movement, Period, Slice, Total, Trend
from maos.narrated_data import narrated_data
from maos.periods import MOST_MONTHS, Grain

# An angle bracket arrives as six bytes; no other character of a label needs more.
_LONGEST_VALUE = "<" * LONGEST_LABEL
# As numbers are read from a data set, and as means and percentages are kept.
_DECIMALS, _DECIMALS_OF_MEAN, _DECIMALS_OF_PERCENT = 10, 6, 2
_DAYS_OF_MONTH = 31
_ANY_DAY = date(2024, 12, 31)


class _Measure(NamedTuple):
    """The longest figures of a measure."""

    name: str
    sum: Decimal
    mean: Decimal
    extreme: Decimal
    share: Decimal
    change: Decimal


def longest_narrated_data(facts: DatasetFacts, shape: ReportShape) -> int:
    """Return how many bytes of UTF-8 the writer can be told of the data at most."""
    profile = DatasetProfile(facts=facts, duplicate_rows=facts.row_count, duplicates_dropped=False)
    return len(narrated_data(profile, _longest_metrics(facts, shape)).encode())


def _longest_metrics(facts: DatasetFacts, shape: ReportShape) -> Metrics:
    measures = [_longest_measure(facts.column(name), facts.row_count) for name in shape.measures]
    period = facts.column(shape.period_column) if shape.period_column else None
    return Metrics(
        shape=shape,
        rows=facts.row_count,
        totals=tuple(_total(measure, facts.row_count) for measure in measures),
        breakdowns=tuple(_breakdown(facts.column(name), facts.row_count, measures) for name in shape.dimensions),
        trend=_trend(period, facts.row_count, measures) if period else None,
        comparison=_comparison(facts, shape, measures) if period else None,
    )


def _longest_measure(column: ColumnFacts, rows: int) -> _Measure:
    low, high = Decimal(column.minimum or 0), Decimal(column.maximum or 0)
    decimals = 0 if column.whole else _DECIMALS
    extreme = _digits(max(abs(low), abs(high)))
    # A step is the difference of two sums.
    total = _digits(2 * rows * max(abs(low), abs(high)))
    # A part is at most the whole where nothing is below zero; else the whole may be as little as its last decimal.
    share = 3 if low >= 0 else total + decimals + 3
    return _Measure(
        name=column.name,
        sum=_longest(total, decimals),
        mean=_longest(extreme, _DECIMALS_OF_MEAN),
        extreme=_longest(extreme, decimals),
        share=_longest(share, _DECIMALS_OF_PERCENT),
        change=_longest(total + decimals + 3, _DECIMALS_OF_PERCENT),
    )


def _digits(value: Decimal) -> int:
    return len(f"{int(value)}")


def _longest(digits: int, decimals: int) -> Decimal:
    return Decimal(f"-{'8' * digits}.{'8' * decimals}" if decimals else f"-{'8' * digits}")


def _total(measure: _Measure, rows: int) -> Total:
    return Total(
        measure=measure.name,
        sum=measure.sum,
        mean=measure.mean,
        minimum=measure.extreme,
        maximum=measure.extreme,
        count=rows,
        missing=rows,
        unparsable=rows,
    )


def _slice(value: str | None, rows: int, measures: list[_Measure]) -> Slice:
    amounts = tuple(Amount(measure=each.name, sum=each.sum, share=each.share) for each in measures)
    return Slice(value=value, rows=rows, amounts=amounts)


def _breakdown(column: ColumnFacts, rows: int, measures: list[_Measure]) -> Breakdown:
    # One more than is ranked, where every row has a value.
    listed = min(column.distinct, MOST_SLICES + 1)
    return Breakdown(
        dimension=column.name,
        distinct=column.distinct,
        slices=(_slice(_LONGEST_VALUE, rows, measures),) * listed,
        unlabelled=_slice(None, rows, measures),
        rest=_slice(None, rows, measures),
    )


def _trend(column: ColumnFacts, rows: int, measures: list[_Measure]) -> Trend:
    movements = tuple(
        Movement(measure=each.name, sum=each.sum, change=each.change, change_on_year=each.change, step=each.sum)
        for each in measures
    )
    period = Period(label=_ANY_DAY.isoformat(), start=_ANY_DAY, rows=rows, movements=movements)
    return Trend(
        column=column.name,
        grain=Grain.MONTH,
        first=_ANY_DAY,
        last=_ANY_DAY,
        periods=(period,) * _most_periods(column),
        years=(period,) * (MOST_MONTHS // 12),
        undated=_slice(None, rows, measures),
    )


def _comparison(facts: DatasetFacts, shape: ReportShape, measures: list[_Measure]) -> Comparison:
    rows, label = facts.row_count, _ANY_DAY.isoformat()
    compared = [
        ComparedMeasure(
            measure=each.name,
            sum=each.sum,
            before=each.sum,
            step=each.sum,
            change=each.change,
            year_before=each.sum,
            change_on_year=each.change,
        )
        for each in measures
    ]
    return Comparison(
        periods=ComparedPeriods(
            grain=Grain.QUARTER,
            start=_ANY_DAY,
            before=_ANY_DAY,
            year_before=_ANY_DAY,
            unfinished=_ANY_DAY,
            first=_ANY_DAY,
        ),
        label=label,
        label_before=label,
        label_year_before=label,
        label_unfinished=label,
        rows=rows,
        rows_before=rows,
        measures=tuple(compared),
        dimensions=tuple(_movers(facts.column(name), rows, measures[0]) for name in shape.dimensions),
    )


def _movers(column: ColumnFacts, rows: int, leading: _Measure) -> DimensionMovers:
    # Parts of a change are as long as changes: the whole of it may be as little as its last decimal.
    mover = Mover(value=_LONGEST_VALUE, sum=leading.sum, before=leading.sum, step=leading.sum, share=leading.change)
    return DimensionMovers(
        dimension=column.name, movers=(mover,) * min(column.distinct + 1, MOST_MOVERS), others=rows, rest=mover
    )


def _most_periods(column: ColumnFacts) -> int:
    if not (column.minimum and column.maximum):
        return 0
    first, last = date.fromisoformat(column.minimum), date.fromisoformat(column.maximum)
    years = last.year - first.year + 1
    months = 12 * (years - 1) + last.month - first.month + 1
    days = (last - first).days + 1
    # By days only within a month, or where there are fewer still.
    return min(column.distinct, max(min(days, _DAYS_OF_MONTH), min(months, MOST_MONTHS), years))
