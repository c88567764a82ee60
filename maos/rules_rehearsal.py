"""What proposed rules and autonomy would have done to past actions: nothing is run, everything is counted."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from maos.actions import Actions, JsonObject
from maos.approval_policy import ApprovalPolicy
from maos.autonomy import AutonomyLevel, needs_approval, stricter
from maos.plan_view import dollars
from maos.policy import PolicyBook, approval_policy
from maos.risk_facts import facts_of, risk_of
from maos.rules import Rules
from maos.rules_check import limit_faults, policy_of, step_faults, tightened_actions

_MOST_EXAMPLES = 3
Usd = Annotated[Decimal, PlainSerializer(dollars, return_type=str, when_used="json")]


class Verdict(StrEnum):
    """What would have become of an action."""

    REFUSED = "refused"
    WAITS = "waits"
    ALONE = "alone"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class PastAction(_Value):
    """A step as it was begun or asked about, all its tries together."""

    run_id: UUID
    step_id: str
    action: str
    parameters: JsonObject
    final: bool = Field(description="Whether these were the final parameters; else they are those of the plan.")
    asked: bool = Field(description="Whether a person was asked.")
    initiator: str
    autonomy: AutonomyLevel = Field(description="Of its run.")
    requested: AutonomyLevel | None = Field(default=None, description="What its run's request asked for.")
    steps_of_run: int
    cost_cap_usd: Decimal | None = None
    spent_usd: Decimal = Decimal(0)
    at_most_usd: Decimal = Field(default=Decimal(0), description="What it could have cost.")


class Reviewer(_Value):
    """A member of the organisation with their roles."""

    email: str
    roles: frozenset[str]


class Proposal(_Value):
    """What is rehearsed."""

    rules: Rules
    autonomy: AutonomyLevel | None = Field(description="None: each run's own.")
    policies: PolicyBook


class Judged(_Value):
    """A past action with its verdict."""

    past: PastAction
    verdict: Verdict
    reason: str
    asked: ApprovalPolicy | None = Field(default=None, description="Who would be asked, where it waits.")


class Example(_Value):
    """One past action, so that somebody can look it up."""

    run_id: UUID
    step_id: str
    verdict: Verdict
    reason: str


class ActionSummary(_Value):
    """What would have become of one kind of action."""

    action: str
    alone: int
    waits: int
    refused: int
    asked_then: int = Field(description="How often a person was asked when it really happened.")
    by_plan: int = Field(description="How many were judged by the parameters of the plan, before they were final.")
    spent_usd: Usd
    at_most_usd: Usd
    examples: tuple[Example, ...]


class Stake(_Value):
    """The money of all actions of one verdict: what they cost, and what they could have cost."""

    verdict: Verdict
    actions: int
    spent_usd: Usd
    at_most_usd: Usd


class Load(_Value):
    """What a person would have had to decide: each approval shared by all who could decide it."""

    reviewer: str
    may_decide: int
    share: Decimal
    per_day: Decimal


class Rehearsal(_Value):
    """What came out."""

    days: int
    actions: tuple[ActionSummary, ...]
    stakes: tuple[Stake, ...]
    reviewers: tuple[Load, ...]
    nobody_may_decide: int


def rehearsed(
    past: Iterable[PastAction], proposal: Proposal, actions: Actions, *, reviewers: Sequence[Reviewer], days: int
) -> Rehearsal:
    """Judge every past action under the proposal, and count."""
    specs = tightened_actions(actions, proposal.rules)
    judged = [_judged(each, proposal, specs) for each in past]
    loads, undecidable = _loads(judged, reviewers, days)
    return Rehearsal(
        days=days,
        actions=tuple(
            _summary(name, [each for each in judged if each.past.action == name])
            for name in sorted({each.past.action for each in judged})
        ),
        stakes=tuple(_stake(verdict, [each for each in judged if each.verdict is verdict]) for verdict in Verdict),
        reviewers=loads,
        nobody_may_decide=undecidable,
    )


def _judged(past: PastAction, proposal: Proposal, specs: Actions) -> Judged:
    spec = specs.get(past.action)
    if spec is None:
        return Judged(past=past, verdict=Verdict.REFUSED, reason="the action is gone")
    faults = [
        *limit_faults(proposal.rules, steps=past.steps_of_run, cost_cap_usd=past.cost_cap_usd),
        *step_faults(proposal.rules, spec, past.parameters),
    ]
    if faults:
        return Judged(past=past, verdict=Verdict.REFUSED, reason="; ".join(faults))
    level, policy = _level(past, proposal.autonomy), proposal.policies.policy
    risk = risk_of(spec, past.parameters, policy)
    reason = "it always asks" if spec.always_asks else f"risk {risk} under {level}"
    exempt = policy.read_only_exempt
    if spec.always_asks or needs_approval(level, risk, read_only=spec.read_only, read_only_exempt=exempt):
        asked = approval_policy(
            proposal.policies,
            risk,
            facts_of(spec, past.parameters),
            level=level,
            approvers=policy_of(proposal.rules, past.action),
        )
        return Judged(past=past, verdict=Verdict.WAITS, reason=reason, asked=asked)
    return Judged(past=past, verdict=Verdict.ALONE, reason=reason)


def _level(past: PastAction, proposed: AutonomyLevel | None) -> AutonomyLevel:
    return past.autonomy if proposed is None else stricter(past.requested or proposed, proposed)


def _summary(action: str, judged: Sequence[Judged]) -> ActionSummary:
    counts = Counter(each.verdict for each in judged)
    telling = sorted(judged, key=lambda each: list(Verdict).index(each.verdict))[:_MOST_EXAMPLES]
    return ActionSummary(
        action=action,
        alone=counts[Verdict.ALONE],
        waits=counts[Verdict.WAITS],
        refused=counts[Verdict.REFUSED],
        asked_then=sum(each.past.asked for each in judged),
        by_plan=sum(not each.past.final for each in judged),
        spent_usd=sum((each.past.spent_usd for each in judged), Decimal(0)),
        at_most_usd=sum((each.past.at_most_usd for each in judged), Decimal(0)),
        examples=tuple(
            Example(run_id=each.past.run_id, step_id=each.past.step_id, verdict=each.verdict, reason=each.reason)
            for each in telling
        ),
    )


def _stake(verdict: Verdict, judged: Sequence[Judged]) -> Stake:
    return Stake(
        verdict=verdict,
        actions=len(judged),
        spent_usd=sum((each.past.spent_usd for each in judged), Decimal(0)),
        at_most_usd=sum((each.past.at_most_usd for each in judged), Decimal(0)),
    )


def _loads(judged: Iterable[Judged], reviewers: Sequence[Reviewer], days: int) -> tuple[tuple[Load, ...], int]:
    may_decide: Counter[str] = Counter()
    shares: dict[str, Decimal] = {}
    undecidable = 0
    for each in judged:
        if each.asked is None:
            continue
        able = _able(each.asked, each.past.initiator, reviewers)
        undecidable += not able
        for email in able:
            may_decide[email] += 1
            shares[email] = shares.get(email, Decimal(0)) + Decimal(1) / len(able)
    return tuple(_load(email, may_decide, shares, days) for email in sorted(shares)), undecidable


def _able(policy: ApprovalPolicy, initiator: str, reviewers: Sequence[Reviewer]) -> list[str]:
    groups = [group for stage in policy.stages for group in stage.groups]
    return [
        person.email
        for person in reviewers
        if person.roles & policy.roles
        and any(group.includes(person.email, person.roles) for group in groups)
        and (policy.users is None or person.email in policy.users)
        and (policy.self_approval or person.email != initiator)
    ]


def _load(email: str, may_decide: Mapping[str, int], shares: Mapping[str, Decimal], days: int) -> Load:
    share = shares[email]
    hundredth = Decimal("0.01")
    return Load(
        reviewer=email,
        may_decide=may_decide[email],
        share=share.quantize(hundredth),
        per_day=(share / days).quantize(hundredth),
    )
