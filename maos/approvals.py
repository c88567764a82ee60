"""Approvals: what is asked, what may be decided about it, and what exactly is approved."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.approval_policy import ApprovalPolicy
from maos.canonical import digest_of
from maos.effects import DoubtChoice
from maos.engines import EngineType
from maos.plans import PlanStep
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus


class Decision(StrEnum):
    """What a reviewer may answer."""

    APPROVE = "approve"
    REJECT = "reject"
    EDIT = "edit"
    RESPOND = "respond"
    REQUEST_CHANGES = "request_changes"

    @property
    def approves(self) -> bool:
        """Whether the action runs: as it was shown, or as the reviewer has edited it."""
        return self in {Decision.APPROVE, Decision.EDIT}

    @property
    def ends_at_once(self) -> bool:
        """Whether it takes no further votes: the action does not run, and its agent is told something else."""
        return self in {Decision.RESPOND, Decision.REQUEST_CHANGES}


class DecisionPath(StrEnum):
    """The way a decision came."""

    FORM = "form"
    COMMAND_LINE = "command_line"
    BULK = "bulk"
    PLAN = "plan"


class ApprovalKind(StrEnum):
    """What is decided about: an action, an effect's fate, a run under other code, a plan, an exemption, a budget."""

    ACTION = "action"
    IN_DOUBT = "in_doubt"
    NEEDS_DECISION = "needs_decision"
    PLAN = "plan"
    EXEMPTION = "exemption"
    BUDGET = "budget"

    @property
    def choices(self) -> tuple[str, ...]:
        """What an approval of this kind chooses between; none where approving says it all."""
        return _CHOICES.get(self, ())


class VersionChoice(StrEnum):
    """How a run goes on that wakes up under other code or rules; rejecting cancels it."""

    PINNED = "pinned"
    REBUILD = "rebuild"


_CHOICES: dict[ApprovalKind, tuple[str, ...]] = {
    ApprovalKind.IN_DOUBT: tuple(DoubtChoice),
    ApprovalKind.NEEDS_DECISION: tuple(VersionChoice),
}

# The steps of decisions that concern the run, or its plan, as a whole: no step can be called so.
WHOLE_RUN = "(run)"
WHOLE_PLAN = "(plan)"


_REFUSED_BY = {
    Decision.REJECT: "rejected by",
    Decision.RESPOND: "not run, but answered by",
    Decision.REQUEST_CHANGES: "sent back for changes by",
}


class Approval(BaseModel):
    """An approval as it stands in the ledger."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    org_id: UUID
    # None: it concerns no run, such as an exemption.
    run_id: UUID | None
    step_id: str
    action: str
    engine: EngineType
    title: str
    preview: str
    payload: JsonObject
    digest: str
    risk: RiskLevel
    cost_ceiling_usd: Decimal
    policy: ApprovalPolicy
    initiator: str
    acting_for: frozenset[str] = Field(default=frozenset(), description="On whose behalf it is asked, besides.")
    caller: str | None = Field(default=None, description="The step whose agent waits for the answer.")
    started_at: datetime
    expires_at: datetime
    status: ApprovalStatus
    revision: int = Field(default=1, description="Counts the payloads: each edit makes the next.")
    stage: int = Field(default=0, description="The stage of its policy that is open.")
    escalated: bool = Field(default=False, description="Whether the open stage has been escalated.")
    edited: JsonObject | None = Field(default=None, description="The parameters as a reviewer has edited them.")
    decision: Decision | None = None
    decided_by: str | None = None
    decided_via: str | None = None
    decided_at: datetime | None = None
    identity_verified: bool | None = None
    note: str | None = None
    consumed_at: datetime | None = None
    kind: ApprovalKind = ApprovalKind.ACTION
    choice: str | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """What approving it chooses between; none where approving says it all."""
        return tuple(self.payload.get("choices", self.kind.choices)) if self.kind.choices else ()

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What may be decided about it."""
        if self.kind is not ApprovalKind.ACTION:
            return (Decision.APPROVE, Decision.REJECT)
        return tuple(Decision) if self.caller else (Decision.APPROVE, Decision.REJECT, Decision.EDIT)

    @property
    def longest_rest(self) -> timedelta:
        """How much longer than until its present end it can stay open, at most: every stage once more, escalated."""
        return self.policy.life_of(self.risk) * 2 * len(self.policy.stages)

    @property
    def refusal_in_words(self) -> str:
        """Who refused it and why, where somebody did."""
        if self.status is ApprovalStatus.EXPIRED:
            return f"the approval of step {self.step_id!r} expired undecided"
        note = f": {self.note}" if self.note else ""
        return f"step {self.step_id!r} was {_REFUSED_BY[self.decision or Decision.REJECT]} {self.decided_by}{note}"

    @property
    def runs_edited(self) -> JsonObject | None:
        """The parameters that a reviewer has put in the place of the plan's, as long as they can count."""
        return self.edited if self.status in {ApprovalStatus.PENDING, ApprovalStatus.APPROVED} else None


def approval_payload(
    step: PlanStep, *, parameters: JsonObject, inputs: Mapping[str, JsonObject], plan_digest: str, rules_digest: str
) -> JsonObject:
    """Return everything that decides what the step will do; its digest is what a reviewer approves.

    Args:
        parameters: the final parameters.
        inputs: the outputs of earlier steps, by binding name; each enters by its digest.
    """
    return {
        "step": step.id,
        "agent": step.agent.model_dump(mode="json"),
        "engine": step.engine.value,
        "action": step.action,
        "parameters": parameters,
        "inputs": {name: digest_of(output) for name, output in inputs.items()},
        "plan_digest": plan_digest,
        "rules_digest": rules_digest,
    }
