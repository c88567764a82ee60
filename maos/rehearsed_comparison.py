"""The comparison of periods in sentences by rule."""

from collections.abc import Iterator
from decimal import Decimal

from maos.comparison import ComparedMeasure, Comparison, DimensionMovers
from maos.figures import rounded, shown_percent
from maos.labels import heading, phrase, printable
from maos.periods import name_of

# Less would be shown as a change of nothing.
_NOTICEABLE = Decimal("0.05")


def moved(change: Decimal) -> str:
    """Return a change in percent as the end of a sentence."""
    if abs(change) < _NOTICEABLE:
        return "stayed where it was"
    return f"{'rose' if change > 0 else 'fell'} by {shown_percent(abs(change))}"


def comparison_sentences(comparison: Comparison) -> Iterator[str]:
    """Yield how the latest complete period compares, and which values moved the leading measure most."""
    periods = comparison.periods
    grain, name = periods.grain.value, name_of(periods.start, periods.grain)
    yield f"The latest complete {grain} is {name}."
    for position, measure in enumerate(comparison.measures):
        yield from _measure_sentences(comparison, measure)
        if position == 0:
            for dimension in comparison.dimensions:
                yield from _mover_sentences(dimension)


def comparison_caveats(comparison: Comparison) -> Iterator[str]:
    """Yield what the comparison leaves out or cannot know."""
    periods = comparison.periods
    if periods.unfinished:
        unfinished = name_of(periods.unfinished, periods.grain)
        yield f"The data end within {unfinished}, which the comparison leaves out as unfinished."
    if periods.begins_with_data:
        yield f"The data begin within {name_of(periods.before, periods.grain)}, which may lack its first days."


def _measure_sentences(comparison: Comparison, measure: ComparedMeasure) -> Iterator[str]:
    periods, name = comparison.periods, heading(measure.measure)
    yield f"{name} came to {rounded(measure.sum)} in it, after {rounded(measure.before)} in the one before."
    if measure.change is not None:
        yield f"Against {name_of(periods.before, periods.grain)} it {moved(measure.change)}."
    if measure.change_on_year is not None and periods.year_before:
        yield f"Against {name_of(periods.year_before, periods.grain)} it {moved(measure.change_on_year)}."


def _mover_sentences(dimension: DimensionMovers) -> Iterator[str]:
    leading = next((mover for mover in dimension.movers if mover.value is not None and mover.step), None)
    if leading is None:
        return
    verb = "rose" if leading.step > 0 else "fell"
    # In quotation marks: a label may read like a figure or like a part of the sentence.
    label = f"\u201c{printable(leading.value or '')}\u201d"
    yield f"By {phrase(dimension.dimension)}, {label} moved most: it {verb} by {rounded(abs(leading.step))}."
