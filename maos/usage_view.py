"""What was used, as people read it: by which dimensions, in rows, as a chart."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from maos.charts import REST, ChartKind, ChartSpec
from maos.engines import EngineType
from maos.labels import printable

# What is counted, beside the money.
COUNTS = ("calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_MOST_BARS = 20
_LONGEST_LABEL = 40


class UsageDimension(StrEnum):
    """What usage is told apart by."""

    ORG = "org"
    TEAM = "team"
    ENTRYPOINT = "entrypoint"
    AGENT = "agent"
    ENGINE = "engine"
    DAY = "day"

    def shown(self, value: str | None) -> str:
        """Return a value as it is shown: engines by the name that gives no vendor away."""
        if self is UsageDimension.ENGINE and value:
            return EngineType(value).label
        return value or "(none)"


class UsageRow(BaseModel):
    """What was used under one combination of the dimensions."""

    model_config = ConfigDict(frozen=True)

    keys: Mapping[UsageDimension, str]
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    usd: Decimal = Decimal(0)

    @property
    def label(self) -> str:
        """The combination as one text."""
        return " / ".join(self.keys.values())


def total_of(rows: Sequence[UsageRow]) -> UsageRow:
    """Return the sum of rows."""
    return UsageRow(
        keys={},
        usd=sum((row.usd for row in rows), start=Decimal(0)),
        **{name: sum(getattr(row, name) for row in rows) for name in COUNTS},
    )


def usage_chart(rows: Sequence[UsageRow], dimensions: Sequence[UsageDimension], *, title: str) -> ChartSpec:
    """Return the chart of what was paid: days as a line, everything else as bars, the largest first."""
    if tuple(dimensions) == (UsageDimension.DAY,) and len(rows) > 1:
        parts = [(row.label, row.usd) for row in rows]
        kind, rest = ChartKind.LINE, 0
    else:
        ranked = sorted(rows, key=lambda row: (-row.usd, row.label))
        parts = [(row.label, row.usd) for row in ranked[:_MOST_BARS]]
        kind, rest = ChartKind.BARS, len(ranked[_MOST_BARS:])
        parts += [(REST, total_of(ranked[_MOST_BARS:]).usd)] if rest else []
    told = "; ".join(f"{label} {amount.normalize():f} USD" for label, amount in parts)
    return ChartSpec(
        name="usage",
        kind=kind,
        title=title,
        alt=f"{title}: {told}.",
        labels=tuple(printable(label, _LONGEST_LABEL) for label, _ in parts),
        values=tuple(amount for _, amount in parts),
        remarks=tuple(f"{amount.normalize():f} USD" for _, amount in parts),
        unranked=1 if rest else 0,
    )


def bars_of(chart: ChartSpec, *, width: int) -> list[str]:
    """Return a chart as lines of text, for a terminal of so many columns."""
    longest = max((len(label) for label in chart.labels), default=0)
    amounts = max((len(remark) for remark in chart.remarks), default=0)
    room, most = max(1, width - longest - amounts - 4), max([*chart.values, Decimal(0)])
    lines = []
    for label, value, remark in zip(chart.labels, chart.values, chart.remarks, strict=True):
        eighths = int(value * room * 8 / most) if most > 0 and value > 0 else 0
        bar = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
        lines.append(f"{label:<{longest}}  {bar or ('▏' if value > 0 else '')} {remark}")
    return lines


_EIGHTHS = " ▏▎▍▌▋▊▉"
