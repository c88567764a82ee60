"""What a plan means before it runs: for each step who would be asked, and what it can cost at most."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import Actions, ActionSpec
from maos.approval_policy import ApprovalPolicy
from maos.autonomy import AutonomyLevel, needs_approval, stricter
from maos.engines import EngineType
from maos.plan_layout import layers_of
from maos.plans import Plan, PlanStep
from maos.policy import PolicyBook, approval_policy
from maos.policy_view import lasting
from maos.risk import RiskFacts, RiskLevel
from maos.risk_facts import awaits_outcomes, facts_of, risk_of
from maos.rules import Rules
from maos.rules_check import policy_of, tightened_actions


class Asking(BaseModel):
    """What decides who is asked in a run."""

    model_config = ConfigDict(frozen=True)

    autonomy: AutonomyLevel = Field(description="The stricter one of the organisation and the request.")
    initiator: str
    rules: Rules
    policies: PolicyBook


class PlanRow(BaseModel):
    """A step as somebody reads it who decides whether to start the run."""

    model_config = ConfigDict(frozen=True)

    step: str
    phase: str | None
    agent: str
    engine: EngineType
    action: str
    risk: RiskLevel = Field(description="As far as the plan says.")
    may_rise: bool = Field(description="Whether outcomes to come decide its final risk.")
    after: tuple[str, ...] = Field(description="The steps it waits for.")
    approvers: str = Field(description="Who must approve it; empty when it runs unasked.")
    approvals: int = Field(description="How many of them, in all stages.")
    expires_after: str = Field(description="How long they have, in each stage.")
    ceiling_usd: Decimal = Field(description="The most it can cost, every try included.")

    @property
    def risk_in_words(self) -> str:
        """Its risk, and whether it is final."""
        return f"{self.risk.value} or higher" if self.may_rise else self.risk.value


def plan_rows(plan: Plan, actions: Actions, asking: Asking, ceilings: Mapping[str, Decimal]) -> tuple[PlanRow, ...]:
    """Return the steps in the order in which they can run; of those that can run side by side, each phase together.

    Args:
        ceilings: the most that a step can cost, for each that costs anything.
    """
    phases = list(dict.fromkeys(step.phase for step in plan.steps))
    specs = tightened_actions(actions, asking.rules)
    return tuple(
        _row(step, specs.get(step.action), asking, ceilings.get(step.id, Decimal(0)))
        for layer in layers_of(plan)
        for step in sorted(layer, key=lambda step: phases.index(step.phase))
    )


def total_ceiling(rows: Iterable[PlanRow]) -> Decimal:
    """Return the most that all steps together can cost."""
    return sum((row.ceiling_usd for row in rows), start=Decimal(0))


def dollars(amount: Decimal) -> str:
    """Return an amount of US dollars without the zeros at its end."""
    return f"{amount.normalize():f}"


def _row(step: PlanStep, spec: ActionSpec | None, asking: Asking, ceiling: Decimal) -> PlanRow:
    policy = asking.policies.policy
    risk = risk_of(spec, step.parameters, policy)
    asked = _asked(step, spec, risk, asking)
    return PlanRow(
        step=step.id,
        phase=step.phase,
        agent=step.agent.name,
        engine=step.engine,
        action=step.action,
        risk=risk,
        # What an agent writes is taken by the letter.
        may_rise=spec is not None and not step.called_by and awaits_outcomes(spec, step.parameters, policy),
        after=tuple(sorted(step.depends_on)),
        approvers=_approvers(asked, asking) if asked else "",
        approvals=sum(group.needed for stage in asked.stages for group in stage.groups) if asked else 0,
        expires_after=lasting(asked.life_of(risk)) if asked else "",
        ceiling_usd=ceiling,
    )


def _asked(step: PlanStep, spec: ActionSpec | None, risk: RiskLevel, asking: Asking) -> ApprovalPolicy | None:
    """Return the policy under which somebody would be asked, or None when the step runs unasked."""
    policy = asking.policies.policy
    level = stricter(asking.autonomy, step.autonomy) if step.autonomy else asking.autonomy
    exempt = {"read_only": spec is not None and spec.read_only, "read_only_exempt": policy.read_only_exempt}
    if not (spec is not None and spec.always_asks) and not needs_approval(level, risk, **exempt):
        return None
    facts = facts_of(spec, step.parameters) if spec else RiskFacts()
    approvers = policy_of(asking.rules, step.action)
    return approval_policy(asking.policies, risk, facts, level=level, approvers=approvers)


def _approvers(asked: ApprovalPolicy, asking: Asking) -> str:
    return asked.in_words if asked.self_approval else f"{asked.in_words}, not {asking.initiator}"
