"""What a report draws: which series, under which title, and how a chart is told to someone who cannot see it."""

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import ArtifactRef
from maos.figures import rounded, shown_percent
from maos.labels import heading, phrase, printable
from maos.metrics import Breakdown, Metrics, Trend
from maos.periods import name_of

# Readable on white for people who tell few colours apart; a page may replace them by its own.
INK = "#1c2733"
MUTED = "#5d6b79"
GRID = "#d8dfe6"
ACCENT = "#1d5d8f"
FAINT = "#9aa7b3"

_LONGEST_TICK = 28
REST = "All others"
UNLABELLED = "(missing)"


class ChartKind(StrEnum):
    """How a chart shows its values."""

    LINE = "line"
    BARS = "bars"


class ChartSpec(BaseModel):
    """A chart to draw."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Stem of its files.")
    kind: ChartKind
    title: str
    alt: str = Field(description="What the chart shows, in a sentence.")
    labels: tuple[str, ...]
    values: tuple[Decimal, ...]
    remarks: tuple[str, ...] = Field(default=(), description="What stands at each bar.")
    unranked: int = Field(default=0, description="How many of the last bars are no values of the dimension.")


class Chart(BaseModel):
    """A chart that was drawn."""

    model_config = ConfigDict(frozen=True)

    title: str
    alt: str
    svg: ArtifactRef
    png: ArtifactRef


class ChartSet(BaseModel):
    """All charts of a report, in their order."""

    model_config = ConfigDict(frozen=True)

    charts: tuple[Chart, ...]


def charts_for(metrics: Metrics) -> tuple[ChartSpec, ...]:
    """Choose the charts: the course of each measure, and the leading measure along each dimension."""
    trend = metrics.trend
    lines = [_line(trend, index) for index in range(len(metrics.totals))] if trend and len(trend.periods) > 1 else []
    bars = [_bars(part, number) for number, part in enumerate(metrics.breakdowns, start=1) if part.slices]
    return (*lines, *bars)


def _line(trend: Trend, index: int) -> ChartSpec:
    values = tuple(period.movements[index].sum for period in trend.periods)
    measure = trend.periods[0].movements[index].measure
    first, last = trend.periods[0], trend.periods[-1]
    best = max(trend.periods, key=lambda period: period.movements[index].sum)
    return ChartSpec(
        name=f"trend-{index + 1}",
        kind=ChartKind.LINE,
        title=f"{heading(measure)} per {trend.grain.value}",
        alt=(
            f"Line from {name_of(first.start, trend.grain)} with {rounded(values[0])} to"
            f" {name_of(last.start, trend.grain)} with {rounded(values[-1])}; highest in"
            f" {name_of(best.start, trend.grain)} with {rounded(best.movements[index].sum)}."
        ),
        labels=tuple(period.label for period in trend.periods),
        values=values,
    )


def _bars(breakdown: Breakdown, number: int) -> ChartSpec:
    parts = [(printable(part.value or "", _LONGEST_TICK), part.amounts[0]) for part in breakdown.slices]
    parts += [(REST, breakdown.rest.amounts[0])] if breakdown.rest else []
    parts += [(UNLABELLED, breakdown.unlabelled.amounts[0])] if breakdown.unlabelled else []
    measure = breakdown.slices[0].amounts[0].measure
    told = "; ".join(f"{label} {rounded(amount.sum)}" for label, amount in parts)
    return ChartSpec(
        name=f"dimension-{number}",
        kind=ChartKind.BARS,
        title=f"{heading(measure)} by {phrase(breakdown.dimension)}",
        alt=f"Bars: {told}.",
        labels=tuple(label for label, _ in parts),
        values=tuple(amount.sum for _, amount in parts),
        remarks=tuple(_remark(amount.sum, amount.share) for _, amount in parts),
        unranked=len(parts) - len(breakdown.slices),
    )


def _remark(value: Decimal, share: Decimal | None) -> str:
    return rounded(value) if share is None else f"{rounded(value)}  ({shown_percent(share)})"
