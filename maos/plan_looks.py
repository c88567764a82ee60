"""How far each step of a plan is, as its picture shows it: by a word and a symbol, never by a colour alone."""

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import NamedTuple

from maos.plans import Plan
from maos.runs import Ledger


class Paint(NamedTuple):
    """How a look is drawn: dark ink on a light fill of its own, readable on a light and on a dark page."""

    symbol: str
    word: str
    fill: str
    line: str


class StepLook(StrEnum):
    """How far a step is, for somebody who looks at the plan."""

    PLANNED = "planned"
    RUNNING = "running"
    WAITS = "waits"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    IN_DOUBT = "in_doubt"

    @property
    def paint(self) -> Paint:
        """How it is drawn."""
        return _PAINTS[self]


# The symbols are in DejaVu Sans, which pictures are drawn with where a machine has no fonts.
_PAINTS: Mapping[StepLook, Paint] = {
    StepLook.PLANNED: Paint("○", "planned", "#f3f4f6", "#4b5563"),
    StepLook.RUNNING: Paint("▶", "running", "#dbeafe", "#1d4ed8"),
    StepLook.WAITS: Paint("‖", "waits for a person", "#fef3c7", "#92400e"),
    StepLook.COMPLETED: Paint("✓", "completed", "#dcfce7", "#166534"),
    StepLook.FAILED: Paint("✗", "failed", "#fee2e2", "#b91c1c"),
    StepLook.SKIPPED: Paint("↷", "skipped", "#e7e5e4", "#57534e"),
    StepLook.IN_DOUBT: Paint("?", "in doubt", "#f3e8ff", "#7e22ce"),
}


def looks_of(plan: Plan, ledger: Ledger, busy: Set[str]) -> dict[str, StepLook]:
    """Return how far each step is.

    Args:
        busy: steps that are under way in this process.
    """
    waiting = {approval.step_id for approval in ledger.waiting}
    known: tuple[tuple[Set[str], StepLook], ...] = (
        (ledger.finished.keys(), StepLook.COMPLETED),
        (busy, StepLook.RUNNING),
        (waiting, StepLook.WAITS),
        (ledger.in_doubt, StepLook.IN_DOUBT),
        (ledger.skipped.keys(), StepLook.SKIPPED),
        (ledger.failed.keys(), StepLook.FAILED),
        # An agent that is not under way waits for what it has called, which waits for somebody.
        (ledger.turns.keys(), StepLook.WAITS),
    )
    return {step.id: next((look for names, look in known if step.id in names), StepLook.PLANNED) for step in plan.steps}
