"""Draws one chart with matplotlib's objects, without its global state: the same values give the same bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from maos.charts import ACCENT, FAINT, GRID, INK, MUTED, ChartKind, ChartSpec

if TYPE_CHECKING:
    # Importing matplotlib takes half a second, and a second on a machine's first time: it is loaded when one draws.
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 8.4
_LINE_HEIGHT = 3.2
_BAR_HEIGHT = 0.36
_MOST_TICKS = 9
_PNG_DPI = 144
_SCALES = ((1e12, "tn"), (1e9, "bn"), (1e6, "M"), (1e3, "k"))
# Labels come with the data: a dollar sign in one is no formula.
_PLAIN: dict[str, Any] = {"parse_math": False}


@dataclass(frozen=True)
class Picture:
    """A drawn chart."""

    svg: bytes
    png: bytes


def draw(spec: ChartSpec) -> Picture:
    """Draw a chart as SVG and as PNG."""
    import matplotlib
    from matplotlib.figure import Figure

    # Constants of the process: identifiers without randomness, and text that stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "maos", "svg.fonttype": "none", "font.family": "DejaVu Sans"})
    bars = spec.kind is ChartKind.BARS
    height = 0.5 + _BAR_HEIGHT * len(spec.labels) if bars else _LINE_HEIGHT
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    _DRAWERS[spec.kind](figure.add_subplot(), spec)
    svg = _svg(figure)
    # A page has its own heading; a picture that stands alone needs its title.
    figure.suptitle(spec.title, fontsize=12, fontweight="bold", color=INK, x=0.01, ha="left", **_PLAIN)
    return Picture(svg=svg, png=_png(figure))


def _draw_line(axes: "Axes", spec: ChartSpec) -> None:
    values = [float(value) for value in spec.values]
    places = range(len(values))
    axes.fill_between(places, values, color=ACCENT, alpha=0.12, linewidth=0)
    axes.plot(places, values, color=ACCENT, linewidth=2, marker="o", markersize=3.5)
    step = -(-len(values) // _MOST_TICKS)
    axes.set_xticks(list(places)[::step], list(spec.labels)[::step], **_PLAIN)
    axes.set_ylim(bottom=min(0.0, *values))
    axes.margins(x=0.02)
    axes.yaxis.set_major_formatter(lambda value, _: _compact(value))
    _set_apart(axes, grid="y")


def _draw_bars(axes: "Axes", spec: ChartSpec) -> None:
    values = [float(value) for value in spec.values]
    places = list(range(len(values)))
    ranked = len(values) - spec.unranked
    colours = [ACCENT if place < ranked else FAINT for place in places]
    bars = axes.barh(places, values, color=colours, height=0.66)
    axes.bar_label(bars, labels=list(spec.remarks), padding=5, fontsize=9, color=INK, **_PLAIN)
    axes.set_yticks(places, list(spec.labels), **_PLAIN)
    axes.invert_yaxis()
    # Room for what stands at the longest bar.
    axes.margins(x=0.3, y=0.02)
    axes.set_xlim(left=0.0 if min(values) >= 0 else None)
    axes.xaxis.set_visible(False)
    _set_apart(axes, grid=None)


_DRAWERS: dict[ChartKind, Callable[["Axes", ChartSpec], None]] = {
    ChartKind.LINE: _draw_line,
    ChartKind.BARS: _draw_bars,
}


def _set_apart(axes: "Axes", *, grid: str | None) -> None:
    for side in ("top", "right", "left") if grid else ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    axes.tick_params(length=0, pad=6, labelsize=9, labelcolor=INK if grid is None else MUTED)
    if grid == "y":
        axes.yaxis.grid(visible=True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)


def _compact(value: float) -> str:
    for size, name in _SCALES:
        if abs(value) >= size:
            return f"{value / size:,.10g}{name}"
    return f"{value:,.10g}"


def _svg(figure: "Figure") -> bytes:
    target = BytesIO()
    # No date and no maker: the same chart is the same file.
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(target, format="svg", transparent=True, metadata=nothing)
    return target.getvalue()


def _png(figure: "Figure") -> bytes:
    target = BytesIO()
    figure.savefig(target, format="png", facecolor="white", dpi=_PNG_DPI, metadata={"Software": None})
    return target.getvalue()
