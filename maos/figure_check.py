"""Refuses a text that states a figure which the data do not have."""

from collections.abc import Iterable
from decimal import Decimal

from maos.figure_facts import FigureFacts
from maos.written_figures import Sense, Unit, WrittenFigure, figures_in, unreadable_in

# Rounding to thousands or millions may not move a figure further than this.
_COARSEST = Decimal("0.05")
_ADVICE: dict[Unit, str] = {
    Unit.PERCENT: (
        "is no percentage of the data in the sense of its sentence (a share, a rise or a fall); use the data's"
        " percentage and say which of the three it is"
    ),
    Unit.RANK: "is no amount of the data, and ranks further than its lists go; leave it out",
    Unit.ORDINAL: "ranks further than the data's lists go; leave it out",
    Unit.UNKNOWN: "is a ratio, a multiple or a difference of percentages, which the data do not have; leave it out",
    Unit.PLAIN: "is not in the data; use a figure of the data, rounded at most, and put a label of digits in quotes",
    Unit.MONEY: "is no amount of the data; use an amount of the data, rounded at most",
}


def faults_of_figures(text: str, facts: FigureFacts) -> list[str]:
    """Return a sentence for each figure of a text without labels that the data do not support."""
    unreadable = [
        f"{word!r} is no figure in a form that can be checked; write figures like 1,234.5 or 12.3%"
        for word in unreadable_in(text)
    ]
    return unreadable + [
        f"the figure {figure.text!r} {_ADVICE[figure.unit]}"
        for figure in figures_in(text)
        if not supports(facts, figure)
    ]


def supports(facts: FigureFacts, figure: WrittenFigure) -> bool:
    """Say whether the data have what a figure states, in the sense its words give it."""
    if figure.unit is Unit.UNKNOWN:
        return False
    if figure.unit in (Unit.RANK, Unit.ORDINAL):
        ranked = figure.value == int(figure.value) and 1 <= figure.value <= facts.longest_ranking
        # `the top 3` ranks; `the largest 99,000.5` does not.
        return ranked or (figure.unit is Unit.RANK and _has(facts.amounts, figure))
    if figure.unit is Unit.PERCENT:
        return _supports_percentage(facts, figure)
    sense = figure.governed or figure.suggested
    if figure.is_step and sense in (Sense.RISE, Sense.FALL):
        return _has_change(facts.steps, figure, sense)
    return _has(facts.amounts | facts.counts if figure.unit is Unit.PLAIN else facts.amounts, figure)


def _supports_percentage(facts: FigureFacts, figure: WrittenFigure) -> bool:
    if figure.governed is Sense.SHARE or figure.is_level:
        return _has(facts.shares, figure)
    if figure.governed is not None:
        return _has_change(facts.changes, figure, figure.governed)
    # Its own clause says nothing: it may be a share, or go on with what the sentence spoke of.
    if _has(facts.shares, figure):
        return True
    may_change = figure.signed or figure.suggested is not Sense.SHARE
    return may_change and _has_change(facts.changes, figure, figure.suggested)


def _has_change(changes: Iterable[Decimal], figure: WrittenFigure, sense: Sense | None) -> bool:
    """Look for a change in one direction: `fell by 3.2%` and `-3.2%` both state a change of -3.2."""
    falls = sense is Sense.FALL
    if figure.signed and figure.value > 0 and falls:
        return False
    if figure.signed and figure.value < 0 and sense is Sense.RISE:
        return False
    target = -abs(figure.value) if falls else figure.value
    return _has(changes, figure.model_copy(update={"value": target}))


def _has(values: Iterable[Decimal], figure: WrittenFigure) -> bool:
    return any(_rounds_to(value, figure) for value in values)


def _rounds_to(value: Decimal, figure: WrittenFigure) -> bool:
    distance = abs(value - figure.value)
    if figure.value == 0 and figure.tolerance >= Decimal("0.5"):
        return value == 0
    if figure.scaled and distance > abs(value) * _COARSEST:
        return False
    return distance <= figure.tolerance
