"""What a plan means before it runs: for each step who would be asked, and what it can cost at most."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import Actions, ActionSpec
from maos.autonomy import AutonomyLevel, needs_approval, stricter
from maos.engines import EngineType
from maos.plan_layout import layers_of
from maos.plans import Plan, PlanStep
from maos.risk import RiskLevel
from maos.rules import Rules
from maos.rules_check import policy_of, tightened_actions


class Asking(BaseModel):
    """What decides who is asked in a run."""

    model_config = ConfigDict(frozen=True)

    autonomy: AutonomyLevel = Field(description="The stricter one of the organisation and the request.")
    read_only_exempt: bool
    initiator: str
    rules: Rules


class PlanRow(BaseModel):
    """A step as somebody reads it who decides whether to start the run."""

    model_config = ConfigDict(frozen=True)

    step: str
    phase: str | None
    agent: str
    engine: EngineType
    action: str
    risk: RiskLevel
    after: tuple[str, ...] = Field(description="The steps it waits for.")
    approvers: str = Field(description="Who must approve it; empty when it runs unasked.")
    ceiling_usd: Decimal = Field(description="The most it can cost, every try included.")


def plan_rows(plan: Plan, actions: Actions, asking: Asking, ceilings: Mapping[str, Decimal]) -> tuple[PlanRow, ...]:
    """Return the steps in the order in which they can run; of those that can run side by side, each phase together.

    Args:
        ceilings: the most that a step can cost, for each that costs anything.
    """
    phases = list(dict.fromkeys(step.phase for step in plan.steps))
    specs = tightened_actions(actions, asking.rules)
    return tuple(
        _row(step, specs[step.action], asking, ceilings.get(step.id, Decimal(0)))
        for layer in layers_of(plan)
        for step in sorted(layer, key=lambda step: phases.index(step.phase))
    )


def total_ceiling(rows: Iterable[PlanRow]) -> Decimal:
    """Return the most that all steps together can cost."""
    return sum((row.ceiling_usd for row in rows), start=Decimal(0))


def dollars(amount: Decimal) -> str:
    """Return an amount of US dollars without the zeros at its end."""
    return f"{amount.normalize():f}"


def _row(step: PlanStep, spec: ActionSpec, asking: Asking, ceiling: Decimal) -> PlanRow:
    return PlanRow(
        step=step.id,
        phase=step.phase,
        agent=step.agent.name,
        engine=step.engine,
        action=step.action,
        risk=spec.risk,
        after=tuple(sorted(step.depends_on)),
        approvers=_approvers(spec, asking) if _is_asked(step, spec, asking) else "",
        ceiling_usd=ceiling,
    )


def _is_asked(step: PlanStep, spec: ActionSpec, asking: Asking) -> bool:
    level = stricter(asking.autonomy, step.autonomy) if step.autonomy else asking.autonomy
    return spec.always_asks or needs_approval(
        level, spec.risk, read_only=spec.read_only, read_only_exempt=asking.read_only_exempt
    )


def _approvers(spec: ActionSpec, asking: Asking) -> str:
    policy = policy_of(asking.rules, spec.name)
    return policy.in_words if policy.self_approval else f"{policy.in_words}, not {asking.initiator}"
