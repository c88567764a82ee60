"""The picture of a plan, as SVG and as Mermaid text; whatever comes from the plan arrives escaped."""

import json
from collections.abc import Mapping
from functools import cache
from string import punctuation
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from maos.actions import Actions
from maos.labels import printable
from maos.plan_layout import CARD_HEIGHT, CARD_WIDTH, Layout, Link, layout_of
from maos.plan_looks import StepLook
from maos.plans import Plan, PlanStep
from maos.risk import RiskLevel

_INK = "#1f2937"
_RISKS: Mapping[RiskLevel, tuple[str, str]] = {
    RiskLevel.LOW: ("low risk", "#374151"),
    RiskLevel.MEDIUM: ("medium risk", "#854d0e"),
    RiskLevel.HIGH: ("▲ high risk", "#9a3412"),
    RiskLevel.CRITICAL: ("▲▲ critical risk", "#991b1b"),
}
_MARGIN = 24
_HEAD = 40
_LEGEND_LINE = 22
_LEGEND_WIDTH = 170
_LONGEST_ID = 25
_LONGEST_LINE = 36
# Without those that an id or a sentence needs and Mermaid takes as they are.
_ASCII_MARKS = frozenset(punctuation) - frozenset("_,.")
# A title knows no codes: Mermaid shows these escaped twice.
_TITLE_MARKS = str.maketrans("<>&", "‹›＆")  # noqa: RUF001 - they look alike on purpose
# What is said of a step that no look was given for.
_DEFAULT = StepLook.PLANNED


class _Card(NamedTuple):
    """What the picture says of a step."""

    id: str
    belongs: str
    engine: str
    risk: str
    risk_ink: str
    look: StepLook


def svg_of(plan: Plan, looks: Mapping[str, StepLook], actions: Actions, *, title: str) -> str:
    """Return the picture as one SVG document that needs nothing else.

    Args:
        looks: how far each step is; planned where nothing is said.
        title: stands above the picture.
    """
    layout = layout_of(plan)
    cards = [_card(step, looks, actions) for step in plan.steps]
    shown = [look for look in StepLook if any(card.look is look for card in cards)]
    width = max(layout.width, 2 * CARD_WIDTH) + 2 * _MARGIN
    return _template().render(
        title=printable(title, longest=max(20, int(width / 10))),
        steps=len(plan.steps),
        width=int(width),
        height=int(_HEAD + layout.height + _LEGEND_LINE * len(_legend(shown, width)) + 3 * _MARGIN),
        left=int((width - layout.width) / 2),
        top=_HEAD + _MARGIN,
        card_width=CARD_WIDTH,
        card_height=CARD_HEIGHT,
        cards=[(card, layout.cards[card.id]) for card in cards],
        paths=[(_path(link, layout), link.arrives) for link in layout.links],
        legend=_legend(shown, width),
        legend_top=int(_HEAD + layout.height + 3 * _MARGIN),
        legend_line=_LEGEND_LINE,
        legend_width=_LEGEND_WIDTH,
        margin=_MARGIN,
        ink=_INK,
        cut=printable,
        longest_id=_LONGEST_ID,
        longest_line=_LONGEST_LINE,
    )


def mermaid_of(plan: Plan, looks: Mapping[str, StepLook], actions: Actions, *, title: str) -> str:
    """Return the picture as Mermaid text."""
    cards = [_card(step, looks, actions) for step in plan.steps]
    shown = [look for look in StepLook if any(card.look is look for card in cards)]
    heading = printable(title, longest=200).translate(_TITLE_MARKS)
    lines = ["---", f"title: {json.dumps(heading, ensure_ascii=False)}", "---"]
    lines.append("flowchart LR" if layout_of(plan).sideways else "flowchart TD")
    lines += [f'    {_node(card.id)}["{_label(card)}"]:::{card.look.value}' for card in cards]
    lines += [f"    {_node(source)} --> {_node(step.id)}" for step in plan.steps for source in sorted(step.depends_on)]
    lines += [
        f"    classDef {look.value} fill:{look.paint.fill},stroke:{look.paint.line},color:{_INK}" for look in shown
    ]
    return "\n".join(lines) + "\n"


@cache
def _template() -> Template:
    pictures = Environment(
        loader=PackageLoader("maos"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return pictures.get_template("plan.svg.j2")


def _card(step: PlanStep, looks: Mapping[str, StepLook], actions: Actions) -> _Card:
    spec = actions.get(step.action)
    # What nobody knows counts as critical.
    risk, risk_ink = _RISKS[spec.risk if spec else RiskLevel.CRITICAL]
    belongs = [printable(step.agent.name, longest=100), *([printable(step.phase)] if step.phase else [])]
    return _Card(
        id=step.id,
        belongs=" · ".join(belongs),
        engine=step.engine.label,
        risk=risk,
        risk_ink=risk_ink,
        look=looks.get(step.id, _DEFAULT),
    )


def _path(link: Link, layout: Layout) -> str:
    """Return a curve that leaves and arrives in the direction of reading."""
    (x, y), (to_x, to_y) = link.start, link.end
    # The tip of an arrow stands before the card, not on its edge.
    if link.arrives:
        to_x, to_y = (to_x - 2, to_y) if layout.sideways else (to_x, to_y - 2)
    if (to_y == y) if layout.sideways else (to_x == x):
        return f"M{x:.0f} {y:.0f}L{to_x:.0f} {to_y:.0f}"
    turn, to_turn = ((x + to_x) / 2, y, (x + to_x) / 2, to_y), (x, (y + to_y) / 2, to_x, (y + to_y) / 2)
    bends = " ".join(f"{value:.0f}" for value in (turn if layout.sideways else to_turn))
    return f"M{x:.0f} {y:.0f}C{bends} {to_x:.0f} {to_y:.0f}"


def _legend(shown: list[StepLook], width: float) -> list[list[StepLook]]:
    """Return the looks of the legend, line by line."""
    each = max(1, int((width - 2 * _MARGIN) // _LEGEND_WIDTH))
    return [shown[start : start + each] for start in range(0, len(shown), each)]


def _node(step_id: str) -> str:
    # Bare ids may be words of Mermaid's own, such as `end`.
    return f"step_{step_id}"


def _label(card: _Card) -> str:
    paint = card.look.paint
    lines = (f"{paint.symbol} {card.id}", card.belongs, f"{card.engine} · {card.risk}", paint.word)
    return "<br/>".join(map(_as_mermaid, lines))


def _as_mermaid(text: str) -> str:
    """Return text of which Mermaid reads nothing as its own: marks of ASCII stand as codes."""
    return "".join(
        char if char.isalnum() or not char.isascii() or char in " _,." else f"#{ord(char)};" for char in text
    )
