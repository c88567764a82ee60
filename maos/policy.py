"""An organisation's policy: how much runs unasked, what raises a risk, and who approves what."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from maos.approval_policy import (
    EXPIRES_AFTER,
    REMINDERS,
    ApprovalPolicy,
    DecidingRole,
    ExpiryOutcome,
    Group,
    Stage,
)
from maos.autonomy import AutonomyLevel, autonomy_table, stricter
from maos.risk import Amount, RiskFacts, RiskLevel, RiskRule

TeamName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_NOT_BY_ONESELF = frozenset({RiskLevel.HIGH, RiskLevel.CRITICAL})


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageRule(Stage):
    """A stage, where it applies from an amount on only."""

    over: Amount | None = Field(default=None, description="Only for actions that move more than this.")


class RiskPolicy(_Value):
    """How approvals of one risk are asked for."""

    stages: tuple[StageRule, ...] = Field(default=(StageRule(),), min_length=1, max_length=8)
    rejections_needed: int = Field(default=1, ge=1, le=20)
    expires_after_hours: Decimal | None = Field(default=None, gt=0, le=8760, description="Empty: by the risk.")
    on_expiry: ExpiryOutcome = ExpiryOutcome.REJECT
    escalate_to: Group = Group(roles=frozenset({DecidingRole.OWNER}))
    reminders: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(default=REMINDERS, max_length=5)
    self_approval: bool = Field(default=False, description="Whether whoever started a run may decide its approvals.")

    @model_validator(mode="after")
    def _always_asks_somebody(self) -> "RiskPolicy":
        if all(stage.over for stage in self.stages):
            raise ValueError("at least one stage applies to every amount: leave its `over` out")
        for stage in self.stages:
            for group in stage.groups:
                if group.users is not None and len(group.users) < group.needed:
                    raise ValueError(f"stage {stage.name!r} needs {group.needed} of {len(group.users)} people")
        return self


class TeamPolicy(_Value):
    """What is different for one team; it can only be stricter."""

    autonomy: AutonomyLevel | None = None


class Policy(_Value):
    """What an organisation has decided; every field has the default of an organisation that has decided nothing."""

    autonomy: AutonomyLevel = AutonomyLevel.SEMI_AUTONOMOUS
    read_only_exempt: bool = False
    one_time_codes_required: bool = False
    plan_approval: bool = Field(default=False, description="Whether each run asks for its whole plan at once first.")
    learning: bool = Field(default=False, description="Whether exemptions are proposed, and signed ones hold.")
    teams: Mapping[TeamName, TeamPolicy] = Field(default_factory=dict)
    risk_rules: tuple[RiskRule, ...] = Field(default=(), max_length=100)
    approvals: Mapping[RiskLevel, RiskPolicy] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _nobody_alone(self) -> "Policy":
        alone = [risk for risk in _NOT_BY_ONESELF if risk in self.approvals and self.approvals[risk].self_approval]
        if alone:
            raise ValueError(f"self_approval is not allowed for {' and '.join(sorted(alone))}")
        return self

    def level_of(self, team: str | None) -> AutonomyLevel:
        """Return the autonomy of a team's runs: the stricter of its own and the organisation's."""
        own = self.teams[team].autonomy if team is not None and team in self.teams else None
        return stricter(self.autonomy, own) if own else self.autonomy

    @property
    def inside(self) -> frozenset[str]:
        """The domains that every rule on outsiders takes for the organisation's own."""
        named = [rule.outside for rule in self.risk_rules if rule.outside is not None]
        return frozenset.intersection(*named) if named else frozenset()


class PolicyBook(_Value):
    """A policy as it holds for an organisation now."""

    policy: Policy = Policy()
    version: int = Field(default=0, description="0: the organisation has set none.")


def approval_policy(
    book: PolicyBook, risk: RiskLevel, facts: RiskFacts, *, level: AutonomyLevel, approvers: ApprovalPolicy
) -> ApprovalPolicy:
    """Return the policy that is copied onto an approval.

    Args:
        level: the autonomy at which it is asked.
        approvers: whom the rules let approve the action.
    """
    of_risk = book.policy.approvals.get(risk, RiskPolicy())
    hours = of_risk.expires_after_hours
    asked = ApprovalPolicy(
        version=book.version,
        stages=_applying(of_risk.stages, facts),
        rejections_needed=of_risk.rejections_needed,
        expires_after=timedelta(hours=float(hours)) if hours else EXPIRES_AFTER[risk],
        on_expiry=of_risk.on_expiry,
        escalate_to=of_risk.escalate_to,
        reminders=of_risk.reminders,
        codes_required=book.policy.one_time_codes_required,
        self_approval=of_risk.self_approval,
        autonomy=level.value,
        autonomy_table=autonomy_table(),
    )
    # Rules say nothing of approving one's own: that is the policy's.
    return asked.narrowed(approvers.model_copy(update={"self_approval": True}))


def _applying(stages: tuple[StageRule, ...], facts: RiskFacts) -> tuple[Stage, ...]:
    return tuple(
        Stage(name=stage.name, groups=stage.groups)
        for stage in stages
        if stage.over is None or (facts.amount is not None and facts.amount.may_pass(stage.over))
    )
