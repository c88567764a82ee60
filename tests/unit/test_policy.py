"""What is copied onto an approval: the stages that apply, and whom rules and policy both let approve."""

from datetime import timedelta
from decimal import Decimal

import pytest

from maos.approval_policy import EXPIRES_AFTER, ApprovalPolicy, DecidingRole, Group
from maos.autonomy import AutonomyLevel, autonomy_table
from maos.policy import Policy, PolicyBook, RiskPolicy, StageRule, approval_policy
from maos.policy_view import autonomy_rows, changes, rules_in_words
from maos.risk import UNREADABLE, Amount, RiskFacts, RiskLevel, RiskRule

REVIEW = StageRule(name="review")
MONEY = StageRule(
    name="money",
    over=Amount(amount=Decimal(1000), currency="EUR"),
    groups=(Group(roles=frozenset({DecidingRole.OWNER})),),
)
STAGED = PolicyBook(
    policy=Policy(approvals={RiskLevel.CRITICAL: RiskPolicy(stages=(REVIEW, MONEY), expires_after_hours=Decimal(2))}),
    version=7,
)


def asked(
    book: PolicyBook, risk: RiskLevel, facts: RiskFacts, approvers: ApprovalPolicy | None = None
) -> ApprovalPolicy:
    level = AutonomyLevel.SEMI_AUTONOMOUS
    return approval_policy(book, risk, facts, level=level, approvers=approvers or ApprovalPolicy())


@pytest.mark.parametrize(
    ("amount", "stages"),
    [
        (None, ["review"]),
        (Amount(amount=Decimal(1000), currency="EUR"), ["review"]),
        (Amount(amount=Decimal("1000.01"), currency="EUR"), ["review", "money"]),
        # It may be more: nobody knows.
        (Amount(amount=Decimal(1), currency="USD"), ["review", "money"]),
        (UNREADABLE, ["review", "money"]),
    ],
)
def test_stages_apply_by_value(amount: Amount | None, stages: list[str]) -> None:
    policy = asked(STAGED, RiskLevel.CRITICAL, RiskFacts(amount=amount))

    assert [stage.name for stage in policy.stages] == stages
    assert (policy.version, policy.life_of(RiskLevel.CRITICAL)) == (7, timedelta(hours=2))


@pytest.mark.parametrize("risk", RiskLevel)
def test_what_is_not_decided_is_asked_of_one_owner_or_reviewer_for_the_time_of_its_risk(risk: RiskLevel) -> None:
    policy = asked(PolicyBook(), risk, RiskFacts())

    assert policy.stages == ApprovalPolicy().stages
    assert policy.life_of(risk) == EXPIRES_AFTER[risk]
    assert (policy.self_approval, policy.autonomy, policy.autonomy_table) == (
        False,
        "semi_autonomous",
        autonomy_table(),
    )


def test_rules_narrow_whom_a_policy_asks() -> None:
    owners = ApprovalPolicy(roles=frozenset({DecidingRole.OWNER}), users=frozenset({"ann@a.example"}))

    policy = asked(STAGED, RiskLevel.CRITICAL, RiskFacts(), owners)

    assert (policy.roles, policy.users) == ({"owner"}, {"ann@a.example"})


def test_self_approval_is_the_policys_to_allow_and_never_of_high_or_critical() -> None:
    alone = PolicyBook(policy=Policy(approvals={RiskLevel.LOW: RiskPolicy(self_approval=True)}))

    assert asked(alone, RiskLevel.LOW, RiskFacts()).self_approval
    assert not asked(alone, RiskLevel.HIGH, RiskFacts()).self_approval
    with pytest.raises(ValueError, match="not allowed for critical and high"):
        Policy(approvals=dict.fromkeys((RiskLevel.HIGH, RiskLevel.CRITICAL), RiskPolicy(self_approval=True)))


def test_the_whole_table_is_shown() -> None:
    assert [[row[risk] for risk in RiskLevel] for row in autonomy_rows()] == [
        ["waits", "waits", "waits", "waits"],
        ["runs", "waits", "waits", "waits"],
        ["runs", "runs", "runs", "waits"],
    ]


def test_policies_are_compared_key_by_key() -> None:
    raised = Policy(risk_rules=(RiskRule(raise_to=RiskLevel.HIGH, recipients_over=3),))

    assert [change.model_dump() for change in changes(raised, STAGED.policy)] == [
        {"key": "risk_rules.1", "before": "high, where it reaches more than 3 people", "after": ""},
        {
            "key": "approvals.critical.approved_by",
            "before": "owner or reviewer",
            "after": "review: owner or reviewer, then money: owner where it moves more than 1000 EUR",
        },
        {"key": "approvals.critical.approvals", "before": "1", "after": "1 to 2"},
        {"key": "approvals.critical.expires_after", "before": "4 h", "after": "2 h each stage"},
    ]
    assert rules_in_words(raised)[0] == {"of": "everybody", "rule": "critical, where it reaches more than 10 people"}
