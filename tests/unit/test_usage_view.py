"""Usage as rows and as a chart."""

from decimal import Decimal

from maos.charts import REST, ChartKind
from maos.usage_view import UsageDimension, UsageRow, bars_of, total_of, usage_chart


def _row(label: str, usd: str, dimension: UsageDimension = UsageDimension.AGENT) -> UsageRow:
    return UsageRow(keys={dimension: label}, usd=Decimal(usd), calls=1, input_tokens=10)


def test_engines_are_shown_by_names_that_give_no_vendor_away() -> None:
    assert UsageDimension.ENGINE.shown("claude_cli") == "writer"
    assert UsageDimension.ENGINE.shown("gemini_image") == "illustrator"
    assert UsageDimension.TEAM.shown(None) == "(none)"


def test_the_total_is_exact() -> None:
    total = total_of([_row("a", "0.00000001"), _row("b", "12345678.9")])

    assert (total.usd, total.calls, total.input_tokens) == (Decimal("12345678.90000001"), 2, 20)


def test_days_are_a_line_in_their_order_and_everything_else_bars_by_size() -> None:
    days = [_row("2026-11-01", "1", UsageDimension.DAY), _row("2026-11-02", "3", UsageDimension.DAY)]
    line = usage_chart(days, (UsageDimension.DAY,), title="t")
    bars = usage_chart([_row("a", "1"), _row("b", "3")], (UsageDimension.AGENT,), title="t")

    assert (line.kind, line.labels) == (ChartKind.LINE, ("2026-11-01", "2026-11-02"))
    assert (bars.kind, bars.labels, bars.remarks) == (ChartKind.BARS, ("b", "a"), ("3 USD", "1 USD"))


def test_of_many_bars_the_smallest_are_added_up() -> None:
    chart = usage_chart([_row(f"a{n:02}", f"{n}") for n in range(25)], (UsageDimension.AGENT,), title="t")

    assert len(chart.labels) == 21
    assert (chart.labels[-1], chart.values[-1], chart.unranked) == (REST, Decimal(0 + 1 + 2 + 3 + 4), 1)


def test_bars_in_a_terminal_are_as_long_as_their_amounts() -> None:
    chart = usage_chart([_row("a", "4"), _row("bb", "8"), _row("c", "0")], (UsageDimension.AGENT,), title="t")
    lines = bars_of(chart, width=31)

    assert lines[0].startswith("bb  ")
    assert lines[0].endswith(" 8 USD")
    assert [line.count("█") for line in lines] == [20, 10, 0]
    assert all(len(line) <= 31 for line in lines)
