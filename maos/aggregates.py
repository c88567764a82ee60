"""Raw sums of a data set become the figures of a report: shares, ranks, changes."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from maos.figures import added, change_from, difference, mean_of, percent_of
from maos.metrics import Amount, Breakdown, Movement, Period, Slice, Total
from maos.periods import Grain, earlier_year, following, label_of

# Longer lists are cut; what is cut is added up as the rest.
MOST_SLICES = 12


class RawTotal(BaseModel):
    """What one query knows of a measure."""

    model_config = ConfigDict(frozen=True)

    rows: int
    present: int
    count: int
    sum: Decimal
    minimum: Decimal | None
    maximum: Decimal | None


class Group(BaseModel):
    """Rows that were added up together, before anything is compared."""

    model_config = ConfigDict(frozen=True)

    value: str | None = None
    start: date | None = None
    rows: int
    sums: tuple[Decimal, ...]


def total_of(measure: str, raw: RawTotal) -> Total:
    """Build a measure's total, and count what was left out of it."""
    return Total(
        measure=measure,
        sum=raw.sum,
        mean=mean_of(raw.sum, raw.count),
        minimum=raw.minimum,
        maximum=raw.maximum,
        count=raw.count,
        missing=raw.rows - raw.present,
        unparsable=raw.present - raw.count,
    )


def slice_of(group: Group, totals: Sequence[Total]) -> Slice:
    """Build a slice: the sums of a group, with their shares of the totals."""
    amounts = tuple(
        Amount(measure=total.measure, sum=sum_, share=percent_of(sum_, total.sum))
        for total, sum_ in zip(totals, group.sums, strict=True)
    )
    return Slice(value=group.value, rows=group.rows, amounts=amounts)


def breakdown_of(
    dimension: str, groups: Sequence[Group], *, distinct: int, rows: int, totals: Sequence[Total]
) -> Breakdown:
    """Build a dimension's breakdown from its largest groups; what they leave of the totals is the rest."""
    listed = [group for group in groups if group.value is not None]
    nameless = next((group for group in groups if group.value is None), None)
    rest = Group(
        rows=rows - sum(group.rows for group in groups),
        sums=tuple(
            difference(added(group.sums[index] for group in groups), total.sum) for index, total in enumerate(totals)
        ),
    )
    return Breakdown(
        dimension=dimension,
        distinct=distinct,
        slices=tuple(slice_of(group, totals) for group in listed),
        unlabelled=slice_of(nameless, totals) if nameless else None,
        rest=slice_of(rest, totals) if rest.rows else None,
    )


def periods_of(groups: Iterable[Group], grain: Grain, measures: Sequence[str]) -> tuple[Period, ...]:
    """Build the periods in their order, each against its neighbours in the calendar."""
    by_start = {group.start: group for group in groups if group.start is not None}
    previous = {following(start, grain): group for start, group in by_start.items()}
    periods = []
    for start, group in sorted(by_start.items()):
        same_season = earlier_year(start, grain)
        earlier = by_start.get(same_season) if same_season else None
        movements = _movements(group, previous.get(start), earlier, measures)
        periods.append(Period(label=label_of(start, grain), start=start, rows=group.rows, movements=movements))
    return tuple(periods)


def years_of(groups: Iterable[Group], measures: Sequence[str]) -> tuple[Period, ...]:
    """Add months up to calendar years; a year that lacks a month is left out, since it would look like a fall."""
    months: dict[int, list[Group]] = {}
    for group in groups:
        if group.start is not None:
            months.setdefault(group.start.year, []).append(group)
    complete = [_added_up(year, parts) for year, parts in months.items() if len(parts) == 12]
    return periods_of(complete, Grain.YEAR, measures)


def _added_up(year: int, parts: Sequence[Group]) -> Group:
    sums = tuple(added(column) for column in zip(*(part.sums for part in parts), strict=True))
    return Group(start=date(year, 1, 1), rows=sum(part.rows for part in parts), sums=sums)


def _movements(
    group: Group, previous: Group | None, earlier: Group | None, measures: Sequence[str]
) -> tuple[Movement, ...]:
    return tuple(
        Movement(
            measure=measure,
            sum=group.sums[index],
            change=change_from(previous.sums[index], group.sums[index]) if previous else None,
            change_on_year=change_from(earlier.sums[index], group.sums[index]) if earlier else None,
            step=difference(previous.sums[index], group.sums[index]) if previous else None,
        )
        for index, measure in enumerate(measures)
    )
