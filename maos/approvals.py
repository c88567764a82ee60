"""The rules of approvals: what is asked, what a decision may be, and what it must satisfy."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.approval_policy import ApprovalPolicy, listed
from maos.canonical import digest_of
from maos.effects import DoubtChoice
from maos.engines import EngineType
from maos.plans import PlanStep
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus
from maos.votes import Vote, seat_of

NOTE_LIMIT = 2000
MOST_ROUNDS_OF_CHANGES = 3


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


class DecisionPath(StrEnum):
    """The way a decision came."""

    FORM = "form"
    COMMAND_LINE = "command_line"
    BULK = "bulk"
    PLAN = "plan"


class ApprovalKind(StrEnum):
    """What is decided about: an action, the fate of an effect, a run under other code, a whole plan, an exemption."""

    ACTION = "action"
    IN_DOUBT = "in_doubt"
    NEEDS_DECISION = "needs_decision"
    PLAN = "plan"
    EXEMPTION = "exemption"

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

# The step of a decision that concerns the run as a whole: no step can be called so.
WHOLE_RUN = "(run)"


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
    agent: str | None = Field(default=None, description="The agent that waits for the answer of its call.")
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
        return tuple(Decision) if self.agent else (Decision.APPROVE, Decision.REJECT, Decision.EDIT)

    @property
    def runs_edited(self) -> JsonObject | None:
        """The parameters that a reviewer has put in the place of the plan's, as long as they can count."""
        return self.edited if self.status in {ApprovalStatus.PENDING, ApprovalStatus.APPROVED} else None


class DecisionRequest(BaseModel):
    """What somebody asks to decide: untrusted until `refusal_of` has nothing against it."""

    model_config = ConfigDict(frozen=True)

    decision: Decision
    reviewer: str = Field(description="Email address of the person who decides.")
    note: str | None = Field(
        default=None, max_length=NOTE_LIMIT, description="Why; or the answer; or the changes asked for."
    )
    code: str | None = Field(default=None, description="One-time code of the reviewer.")
    choice: str | None = Field(default=None, description="Where an approval offers choices: which.")
    edited: JsonObject | None = Field(default=None, description="The action's parameters as they shall be.")
    seen: str | None = Field(default=None, description="Digest of the payload that was shown; empty: the present one.")
    via: DecisionPath


class Reviewer(BaseModel):
    """A person who asks to decide, as far as it is known who that is."""

    model_config = ConfigDict(frozen=True)

    email: str
    roles: frozenset[str] = Field(default=frozenset(), description="In the approval's organisation; empty: a stranger.")
    verified: bool = Field(default=False, description="Whether a one-time code has proved it.")


class Rule(StrEnum):
    """The rule that refuses a decision."""

    EXPIRED = "expiry"
    DECIDED = "decided"
    MEMBER = "membership"
    ROLE = "role"
    NAMED = "named people"
    SELF = "no self-approval"
    STAGE = "stage"
    CODE = "one-time code"
    VOTED = "one vote a person"
    REASON = "reason"
    CHOICE = "choice"
    KIND = "kind of decision"
    SCHEMA = "schema"
    POLICY = "policy"
    SEEN = "what was seen"
    ROUNDS = "rounds of changes"


class Refusal(BaseModel):
    """Why a decision is refused."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    words: str

    def __str__(self) -> str:
        return f"{self.words} (rule: {self.rule})"


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


def refusal_of(
    approval: Approval, request: DecisionRequest, reviewer: Reviewer, *, votes: Sequence[Vote], now: datetime
) -> Refusal | None:
    """Return the rule that refuses this decision, or None when it counts.

    Args:
        votes: those on the approval so far.
    """
    if approval.status is not ApprovalStatus.PENDING:
        return Refusal(rule=Rule.DECIDED, words=_already(approval))
    if now >= approval.expires_at:
        return Refusal(rule=Rule.EXPIRED, words=f"expired at {approval.expires_at:%Y-%m-%d %H:%M} UTC")
    return (
        _person_refusal(approval, reviewer)
        or _vote_refusal(approval, reviewer, votes)
        or _content_refusal(approval, request)
    )


def _already(approval: Approval) -> str:
    if approval.decided_at is None:
        return "it can no longer be decided"
    return f"already {approval.status.value} by {approval.decided_by} at {approval.decided_at:%Y-%m-%d %H:%M:%S} UTC"


def _person_refusal(approval: Approval, reviewer: Reviewer) -> Refusal | None:
    email, policy = reviewer.email, approval.policy
    if not reviewer.roles:
        return Refusal(rule=Rule.MEMBER, words=f"{email} is not a member of this organisation")
    if not reviewer.roles & policy.roles:
        words = f"{email} has role {listed(reviewer.roles)}; deciding takes {listed(policy.roles) or 'nobody'}"
        return Refusal(rule=Rule.ROLE, words=words)
    if policy.users is not None and email not in policy.users:
        words = f"{email} may not decide this; deciding takes {listed(policy.users) or 'nobody'}"
        return Refusal(rule=Rule.NAMED, words=words)
    if email in {approval.initiator, *approval.acting_for} and not policy.self_approval:
        return Refusal(rule=Rule.SELF, words=f"{email} started the run and may not decide its approvals")
    if policy.codes_required and not reviewer.verified:
        return Refusal(rule=Rule.CODE, words="deciding takes a one-time code: give yours, or have one enrolled")
    return None


def _vote_refusal(approval: Approval, reviewer: Reviewer, votes: Sequence[Vote]) -> Refusal | None:
    if any(vote.email == reviewer.email and vote.revision == approval.revision for vote in votes):
        return Refusal(rule=Rule.VOTED, words=f"{reviewer.email} has voted on this already")
    if seat_of(approval, reviewer.email, reviewer.roles, votes) is None:
        stage = approval.policy.stages[approval.stage]
        words = f"the approval is at stage {stage.name!r}, which takes {stage.in_words}"
        return Refusal(rule=Rule.STAGE, words=words)
    return None


def _content_refusal(approval: Approval, request: DecisionRequest) -> Refusal | None:
    decision = request.decision
    if request.seen is not None and request.seen != approval.digest:
        return Refusal(rule=Rule.SEEN, words="it has been edited since it was shown; look again")
    if decision not in approval.decisions:
        allowed = " or ".join(approval.decisions)
        return Refusal(rule=Rule.KIND, words=f"{decision.value!r} is not possible here; allowed: {allowed}")
    if decision is not Decision.APPROVE and decision is not Decision.EDIT and not (request.note or "").strip():
        return Refusal(rule=Rule.REASON, words=_TAKES_A_NOTE[decision])
    if (decision is Decision.EDIT) != (request.edited is not None):
        words = "editing takes the new parameters" if decision is Decision.EDIT else "only an edit takes parameters"
        return Refusal(rule=Rule.SCHEMA, words=words)
    return _choice_refusal(approval, request)


_TAKES_A_NOTE = {
    Decision.REJECT: "rejecting takes a note that says why",
    Decision.RESPOND: "responding takes a note: the answer that the agent gets",
    Decision.REQUEST_CHANGES: "requesting changes takes a note that says which",
}


def _choice_refusal(approval: Approval, request: DecisionRequest) -> Refusal | None:
    if not request.decision.approves or request.choice in (approval.choices or (None,)):
        return None
    if not approval.choices:
        return Refusal(rule=Rule.CHOICE, words=f"this approval offers no choice; leave {request.choice!r} out")
    return Refusal(rule=Rule.CHOICE, words=f"approving takes a choice: {' or '.join(approval.choices)}")
