"""Every figure that a text about the data may state, by what it counts."""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from maos.comparison import ComparedMeasure, Mover
from maos.datasets import is_rate
from maos.metrics import DatasetProfile, Metrics, Movement, Slice


class FigureFacts(BaseModel):
    """The figures of the data, by what they are."""

    model_config = ConfigDict(frozen=True)

    # Sums, means and limits of measures.
    amounts: frozenset[Decimal]
    # Rows, values, columns, periods.
    counts: frozenset[Decimal]
    # Percentages of a total, and measures that are percentages themselves.
    shares: frozenset[Decimal]
    # Percentages against another period.
    changes: frozenset[Decimal]
    # Differences to the period before.
    steps: frozenset[Decimal]
    # The largest N of a `top N`.
    longest_ranking: int


def figure_facts(profile: DatasetProfile, metrics: Metrics) -> FigureFacts:
    """Collect the figures that a text about these data may state."""
    slices, movements = _slices(metrics), _movements(metrics)
    measured = list(_measured(metrics, slices, movements))
    shares = [amount.share for part in slices for amount in part.amounts if amount.share is not None]
    movers = _movers(metrics)
    moves: list[Movement | ComparedMeasure] = [*movements, *_compared(metrics)]
    shares += [mover.share for mover in movers if mover.share is not None]
    changed = [change for move in moves for change in (move.change, move.change_on_year)]
    steps = [*(move.step for move in moves), *(mover.step for mover in movers)]
    return FigureFacts(
        amounts=frozenset(value for _, value in measured),
        counts=frozenset(map(Decimal, _counts(profile, metrics, slices))),
        shares=frozenset(shares) | {value for measure, value in measured if is_rate(measure)},
        changes=frozenset(change for change in changed if change is not None),
        steps=frozenset(step for step in steps if step is not None),
        longest_ranking=max([0, *_rankings(metrics)]),
    )


def _slices(metrics: Metrics) -> list[Slice]:
    parts = [part for each in metrics.breakdowns for part in (*each.slices, each.unlabelled, each.rest)]
    undated = metrics.trend.undated if metrics.trend else None
    return [part for part in (*parts, undated) if part is not None]


def _movements(metrics: Metrics) -> list[Movement]:
    trend = metrics.trend
    return [move for period in (*trend.periods, *trend.years) for move in period.movements] if trend else []


def _compared(metrics: Metrics) -> tuple[ComparedMeasure, ...]:
    return metrics.comparison.measures if metrics.comparison else ()


def _movers(metrics: Metrics) -> list[Mover]:
    dimensions = metrics.comparison.dimensions if metrics.comparison else ()
    return [mover for each in dimensions for mover in (*each.movers, *([each.rest] if each.rest else []))]


def _measured(metrics: Metrics, slices: list[Slice], movements: list[Movement]) -> Iterator[tuple[str, Decimal]]:
    for total in metrics.totals:
        for value in (total.sum, total.mean, total.minimum, total.maximum):
            if value is not None:
                yield total.measure, value
    yield from ((amount.measure, amount.sum) for part in slices for amount in part.amounts)
    yield from ((move.measure, move.sum) for move in movements)
    for each in _compared(metrics):
        yield from ((each.measure, value) for value in (each.sum, each.before, each.year_before) if value is not None)
    leading = metrics.totals[0].measure
    yield from ((leading, value) for mover in _movers(metrics) for value in (mover.sum, mover.before))


def _counts(profile: DatasetProfile, metrics: Metrics, slices: list[Slice]) -> Iterator[int]:
    facts = profile.facts
    yield from (facts.row_count, facts.unreadable_rows, profile.duplicate_rows, metrics.rows, len(facts.columns))
    yield from (len(metrics.totals), len(metrics.breakdowns))
    for column in facts.columns:
        yield from (column.missing, column.unparsable, column.distinct)
        yield from (column.other_format, column.ambiguous, column.other_currency)
    for total in metrics.totals:
        yield from (total.count, total.missing, total.unparsable)
    for breakdown in metrics.breakdowns:
        yield from (breakdown.distinct, len(breakdown.slices), breakdown.distinct - len(breakdown.slices))
    yield from (part.rows for part in slices)
    if metrics.trend:
        yield from (len(metrics.trend.periods), len(metrics.trend.years))
        yield from (period.rows for period in (*metrics.trend.periods, *metrics.trend.years))
    if metrics.comparison:
        yield from (metrics.comparison.rows, metrics.comparison.rows_before)
        yield from (each.others for each in metrics.comparison.dimensions)


def _rankings(metrics: Metrics) -> list[int]:
    periods = [len(metrics.trend.periods)] if metrics.trend else []
    return [len(breakdown.slices) for breakdown in metrics.breakdowns] + periods
