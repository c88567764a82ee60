"""Decisions: what somebody asks to decide, and the rules that it must satisfy, one after the other."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from math import isfinite

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.approval_policy import listed
from maos.approvals import Approval, Decision, DecisionPath
from maos.statuses import ApprovalStatus
from maos.votes import Vote, seat_of

NOTE_LIMIT = 2000
MOST_ROUNDS_OF_CHANGES = 3
_DEEPEST = 50
_NO_TEXT = f"leave out NUL, lone surrogates, numbers that are none, and what nests deeper than {_DEEPEST} levels"


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
    TEXT = "plain text"
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
        or _code_refusal(approval, reviewer)
    )


def may_decide(approval: Approval, reviewer: Reviewer, votes: Sequence[Vote]) -> bool:
    """Say whether a person has a say in the open stage that they have not had yet."""
    return not (_person_refusal(approval, reviewer) or _vote_refusal(approval, reviewer, votes))


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
    if _cannot_be_stored(request.note) or _cannot_be_stored(request.edited):
        return Refusal(
            rule=Rule.TEXT, words="note or parameters hold characters that are no text (NUL, lone surrogates)"
        )
    if decision not in approval.decisions:
        allowed = " or ".join(approval.decisions)
        return Refusal(rule=Rule.KIND, words=f"{decision.value!r} is not possible here; allowed: {allowed}")
    if decision is not Decision.APPROVE and decision is not Decision.EDIT and not (request.note or "").strip():
        return Refusal(rule=Rule.REASON, words=_TAKES_A_NOTE[decision])
    if (decision is Decision.EDIT) != (request.edited is not None):
        words = "editing takes the new parameters" if decision is Decision.EDIT else "only an edit takes parameters"
        return Refusal(rule=Rule.SCHEMA, words=words)
    return _choice_refusal(approval, request)


def _cannot_be_stored(value: object) -> bool:
    """Say whether a JSON value holds what neither PostgreSQL nor UTF-8 can, or nests deeper than anything reads."""
    open_: list[tuple[object, int]] = [(value, 0)]
    while open_:
        item, depth = open_.pop()
        if depth > _DEEPEST or (isinstance(item, float) and not isfinite(item)):
            return True
        if isinstance(item, str) and any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in item):
            return True
        inside = [*item.keys(), *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else []
        open_ += [(each, depth + 1) for each in inside]
    return False


_TAKES_A_NOTE = {
    Decision.REJECT: "rejecting takes a note that says why",
    Decision.RESPOND: "responding takes a note: the answer that the agent gets",
    Decision.REQUEST_CHANGES: "requesting changes takes a note that says which",
}


def _code_refusal(approval: Approval, reviewer: Reviewer) -> Refusal | None:
    if reviewer.verified or not approval.policy.codes_required:
        return None
    return Refusal(rule=Rule.CODE, words="deciding takes a one-time code: give yours, or have one enrolled")


def _choice_refusal(approval: Approval, request: DecisionRequest) -> Refusal | None:
    if not request.decision.approves or request.choice in (approval.choices or (None,)):
        return None
    if not approval.choices:
        return Refusal(rule=Rule.CHOICE, words=f"this approval offers no choice; leave {request.choice!r} out")
    return Refusal(rule=Rule.CHOICE, words=f"approving takes a choice: {' or '.join(approval.choices)}")
