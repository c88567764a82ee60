"""The rules of approvals: what is asked, of whom, until when, and what a decision must satisfy."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.canonical import canonical_json, digest_of
from maos.effects import DoubtChoice
from maos.engines import EngineType
from maos.plans import PlanStep
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus

EXPIRES_AFTER: Mapping[RiskLevel, timedelta] = {
    RiskLevel.LOW: timedelta(hours=72),
    RiskLevel.MEDIUM: timedelta(hours=24),
    RiskLevel.HIGH: timedelta(hours=8),
    RiskLevel.CRITICAL: timedelta(hours=4),
}


class Decision(StrEnum):
    """What a reviewer may answer."""

    APPROVE = "approve"
    REJECT = "reject"

    @property
    def status(self) -> ApprovalStatus:
        """The status that the decision gives an approval."""
        return ApprovalStatus.APPROVED if self is Decision.APPROVE else ApprovalStatus.REJECTED


class DecisionPath(StrEnum):
    """The way a decision came."""

    FORM = "form"
    COMMAND_LINE = "command_line"


class ApprovalKind(StrEnum):
    """What is decided: an action, the fate of an effect, a run that wakes up under other code, more of a budget."""

    ACTION = "action"
    IN_DOUBT = "in_doubt"
    NEEDS_DECISION = "needs_decision"
    BUDGET = "budget"

    @property
    def choices(self) -> tuple[str, ...]:
        """What an approval of this kind chooses between; none where approving says it all."""
        return _CHOICES[self]


class VersionChoice(StrEnum):
    """How a run goes on that wakes up under other code or rules; rejecting cancels it."""

    PINNED = "pinned"
    REBUILD = "rebuild"


_CHOICES: dict[ApprovalKind, tuple[str, ...]] = {
    ApprovalKind.ACTION: (),
    ApprovalKind.IN_DOUBT: tuple(DoubtChoice),
    ApprovalKind.NEEDS_DECISION: tuple(VersionChoice),
    ApprovalKind.BUDGET: (),
}

# The step of a decision that concerns the run as a whole: no step can be called so.
WHOLE_RUN = "(run)"


class DecidingRole(StrEnum):
    """A role in an organisation that may decide approvals."""

    OWNER = "owner"
    REVIEWER = "reviewer"


class ApprovalPolicy(BaseModel):
    """Who may decide: copied onto each approval, so that a later change never weakens an open one."""

    model_config = ConfigDict(frozen=True)

    roles: frozenset[str] = frozenset(DecidingRole)
    users: frozenset[str] | None = Field(default=None, description="Where people are named, only they.")
    self_approval: bool = False

    @property
    def in_words(self) -> str:
        """Whom it takes."""
        return _listed(self.users if self.users is not None else self.roles)


class Approval(BaseModel):
    """An approval as it stands in the ledger."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    org_id: UUID
    run_id: UUID
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
    started_at: datetime
    expires_at: datetime
    status: ApprovalStatus
    decided_by: str | None = None
    decided_via: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    consumed_at: datetime | None = None
    kind: ApprovalKind = ApprovalKind.ACTION
    choice: str | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """What approving it chooses between; none where approving says it all."""
        return tuple(self.payload.get("choices", self.kind.choices)) if self.kind.choices else ()


class DecisionRequest(BaseModel):
    """What somebody asks to decide: untrusted until `refusal_of` has nothing against it."""

    model_config = ConfigDict(frozen=True)

    decision: Decision
    reviewer: str = Field(description="Email address of the person who decides.")
    note: str | None = Field(default=None, max_length=2000)
    code: str | None = Field(default=None, description="One-time code of the reviewer.")
    choice: str | None = Field(default=None, description="Where an approval offers choices: which.")
    via: DecisionPath


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


def refusal_of(approval: Approval, request: DecisionRequest, *, roles: Set[str], now: datetime) -> str | None:
    """Return the rule that refuses this decision, or None when it may be tried.

    Args:
        roles: the reviewer's roles in the approval's organisation; empty for a stranger.
    """
    if now >= approval.expires_at:
        return f"expired at {approval.expires_at:%Y-%m-%d %H:%M} UTC"
    if not roles:
        return f"{request.reviewer} is not a member of this organisation"
    if not roles & approval.policy.roles:
        return f"{request.reviewer} has role {_listed(roles)}; deciding takes {_listed(approval.policy.roles)}"
    if approval.policy.users is not None and request.reviewer not in approval.policy.users:
        return f"{request.reviewer} may not decide this; deciding takes {_listed(approval.policy.users) or 'nobody'}"
    if request.reviewer == approval.initiator and not approval.policy.self_approval:
        return f"{request.reviewer} started the run and may not decide its approvals"
    if request.code:
        return f"{request.reviewer} has no one-time code enrolled; leave the code out"
    if request.decision is Decision.REJECT and not (request.note or "").strip():
        return "rejecting takes a note that says why"
    return _choice_refusal(approval, request)


def _choice_refusal(approval: Approval, request: DecisionRequest) -> str | None:
    if request.decision is Decision.REJECT or request.choice in (approval.choices or (None,)):
        return None
    if not approval.choices:
        return f"this approval offers no choice; leave {request.choice!r} out"
    return f"approving takes a choice: {' or '.join(approval.choices)}"


def parameters_as_markdown(parameters: JsonObject) -> str:
    """Return an action's parameters as a Markdown table, every value as inert code."""
    rows = "\n".join(f"| {name} | {as_code(canonical_json(value))} |" for name, value in parameters.items())
    return f"| parameter | value |\n|---|---|\n{rows}" if rows else "No parameters."


def as_code(text: str) -> str:
    """Return text as inline code that cannot break out of a Markdown table."""
    return "`" + text.replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"


def approvals_as_markdown(approvals: Sequence[Approval], *, refusal: str | None) -> str:
    """Return what a reviewer reads above the form: why the last answer was refused, then each open action."""
    return "\n".join([*_refusal_in_words(refusal), *(_as_markdown(approval) for approval in approvals)])


def hold_as_markdown(held_by: str, *, refusal: str | None) -> str:
    """Return what an operator reads above the form of a run that is held."""
    words = f"## The run is held\n\nBy {as_code(held_by)}, before its next step. Approve to let it go on.\n"
    return "\n".join([*_refusal_in_words(refusal), words])


def _refusal_in_words(refusal: str | None) -> list[str]:
    return [f"> **Your last answer was refused:** {as_code(refusal)}\n"] if refusal else []


def _as_markdown(approval: Approval) -> str:
    facts = {
        "step": as_code(approval.step_id),
        **_choices_in_words(approval),
        "risk": _RISK_IN_COLOUR[approval.risk],
        "engine": approval.engine.label,
        "cost at most": f"{approval.cost_ceiling_usd.normalize():f} USD",
        "asked by": as_code(approval.initiator),
        **_deciders_in_words(approval),
        "decide before": f"{approval.expires_at:%Y-%m-%d %H:%M} UTC",
        "approval": as_code(str(approval.id)),
        "digest": as_code(f"{approval.digest[:16]}…"),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"## {approval.title}\n\n| | |\n|---|---|\n{table}\n\n{approval.preview}\n"


def _choices_in_words(approval: Approval) -> dict[str, str]:
    return {"choice, when you approve": " or ".join(map(as_code, approval.choices))} if approval.choices else {}


def _deciders_in_words(approval: Approval) -> dict[str, str]:
    return {"only decided by": as_code(approval.policy.in_words)} if approval.policy.users is not None else {}


_RISK_IN_COLOUR: Mapping[RiskLevel, str] = {
    RiskLevel.LOW: "🟢 low",
    RiskLevel.MEDIUM: "🟡 medium",
    RiskLevel.HIGH: "🟠 **high**",
    RiskLevel.CRITICAL: "🔴 **critical**",
}


def _listed(names: Set[str]) -> str:
    return " or ".join(sorted(map(str, names)))
