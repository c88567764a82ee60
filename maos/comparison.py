"""The latest complete period of the data against the one before it and the same one a year before."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from maos.figures import Figure, added, change_from, difference, percent_of
from maos.periods import Grain, earlier_year, following, label_of, start_of

# Values of a dimension that are listed; what the others moved is added up.
MOST_MOVERS = 5
# Up to so many days of data are compared by this grain, more by the next one.
_SPANS: tuple[tuple[int, Grain], ...] = (
    (21, Grain.DAY),
    (120, Grain.WEEK),
    (3 * 366, Grain.MONTH),
    (8 * 366, Grain.QUARTER),
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ComparedPeriods(_Frozen):
    """Which periods are compared, by their first days."""

    grain: Grain
    start: date = Field(description="The latest complete period.")
    before: date = Field(description="The period just before it.")
    year_before: date | None = Field(default=None, description="The same period a year before, where there is one.")
    unfinished: date | None = Field(default=None, description="The last period of the data, if it is left out.")
    first: date = Field(description="The first period of the data.")

    @property
    def begins_with_data(self) -> bool:
        """Whether the earlier period is the first of the data, which may begin in the middle of it."""
        return self.before == self.first


class ComparedMeasure(_Frozen):
    """A measure in both periods."""

    measure: str
    sum: Figure
    before: Figure = Field(description="In the period just before.")
    step: Figure = Field(description="Difference to the period just before.")
    change: Figure | None = Field(description="Percent against the period just before.")
    year_before: Figure | None = Field(default=None, description="In the same period a year before.")
    change_on_year: Figure | None = Field(default=None, description="Percent against the same period a year before.")


class Mover(_Frozen):
    """What one value of a dimension adds to the change of the leading measure."""

    value: str | None = Field(description="The value; null for rows without one.")
    sum: Figure
    before: Figure
    step: Figure
    share: Figure | None = Field(description="Percent of the whole change; nothing where there is none.")


class DimensionMovers(_Frozen):
    """The values of a dimension that moved the leading measure most."""

    dimension: str
    movers: tuple[Mover, ...]
    others: int = Field(description="Values that are not listed.")
    rest: Mover | None = Field(default=None, description="The values that are not listed, added up.")


class Comparison(_Frozen):
    """How the latest complete period compares."""

    periods: ComparedPeriods
    label: str
    label_before: str
    label_year_before: str | None = None
    label_unfinished: str | None = None
    rows: int
    rows_before: int
    measures: tuple[ComparedMeasure, ...] = Field(description="One for each measure, in their order.")
    dimensions: tuple[DimensionMovers, ...] = ()


class PeriodSums(_Frozen):
    """The rows of a period, added up."""

    rows: int = 0
    sums: tuple[Decimal, ...]


class MovedGroup(_Frozen):
    """The rows of one value in both periods, added up by the leading measure."""

    value: str | None
    sum: Decimal
    before: Decimal


def grain_of_span(first: date, last: date) -> Grain:
    """Choose by which periods data of these days are compared."""
    days = (last - first).days + 1
    return next((grain for most, grain in _SPANS if days <= most), Grain.YEAR)


def reaches_its_end(last: date, grain: Grain) -> bool:
    """Say whether the data have the last day of their last period; a single day may still be going on."""
    return grain is not Grain.DAY and following(start_of(last, grain), grain) - timedelta(days=1) == last


def compared_periods(grain: Grain, *, first: date, finished: date, last: date) -> ComparedPeriods | None:
    """Say which periods are compared; nothing where no earlier period has data.

    A period is complete when the data go on after it, or have its last day.

    Args:
        first: the earliest date of the data.
        finished: the latest date in a complete period.
        last: the latest date of the data.
    """
    start, end = start_of(finished, grain), start_of(last, grain)
    if start_of(first, grain) == start:
        return None
    return ComparedPeriods(
        grain=grain,
        start=start,
        before=start_of(start - timedelta(days=1), grain),
        year_before=earlier_year(start, grain),
        unfinished=None if end == start else end,
        first=start_of(first, grain),
    )


def comparison_of(
    periods: ComparedPeriods,
    measures: Sequence[str],
    sums: Mapping[date, PeriodSums],
    dimensions: Sequence[DimensionMovers],
) -> Comparison:
    """Build the comparison from the sums of its periods; one without rows counts as zero, except a year before."""
    nothing = PeriodSums(sums=(Decimal(0),) * len(measures))
    now, before = sums.get(periods.start, nothing), sums.get(periods.before, nothing)
    year = sums.get(periods.year_before) if periods.year_before else None
    grain = periods.grain
    return Comparison(
        periods=periods,
        label=label_of(periods.start, grain),
        label_before=label_of(periods.before, grain),
        label_year_before=label_of(periods.year_before, grain) if periods.year_before and year else None,
        label_unfinished=label_of(periods.unfinished, grain) if periods.unfinished else None,
        rows=now.rows,
        rows_before=before.rows,
        measures=tuple(
            ComparedMeasure(
                measure=measure,
                sum=now.sums[index],
                before=before.sums[index],
                step=difference(before.sums[index], now.sums[index]),
                change=change_from(before.sums[index], now.sums[index]),
                year_before=year.sums[index] if year else None,
                change_on_year=change_from(year.sums[index], now.sums[index]) if year else None,
            )
            for index, measure in enumerate(measures)
        ),
        dimensions=tuple(dimensions),
    )


def movers_of(
    dimension: str, groups: Sequence[MovedGroup], *, values: int, now: Decimal, before: Decimal
) -> DimensionMovers:
    """Build the movers of a dimension; what they leave of the whole change is the rest.

    Args:
        groups: those that moved most.
        values: how many groups there are in all.
        now: the leading measure of the whole period.
        before: the same in the period before.
    """
    step = difference(before, now)
    rest = MovedGroup(
        value=None,
        sum=difference(added(group.sum for group in groups), now),
        before=difference(added(group.before for group in groups), before),
    )
    others = values - len(groups)
    return DimensionMovers(
        dimension=dimension,
        movers=tuple(_mover(group, step) for group in groups),
        others=others,
        rest=_mover(rest, step) if others else None,
    )


def _mover(group: MovedGroup, whole: Decimal) -> Mover:
    step = difference(group.before, group.sum)
    return Mover(value=group.value, sum=group.sum, before=group.before, step=step, share=percent_of(step, whole))
