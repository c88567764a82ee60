"""Documents of policies: what is read, and every fault with its line, value and what is allowed."""

import random
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from maos.approval_policy import DecidingRole, ExpiryOutcome
from maos.autonomy import AutonomyLevel
from maos.errors import PolicyRefused
from maos.policy import Policy
from maos.policy_text import MAX_DOCUMENT_BYTES, parse_policy
from maos.risk import RiskLevel

EXAMPLE = (Path(__file__).parent.parent.parent / "examples" / "policy.yaml").read_text()


def faults(document: str) -> tuple[str, ...]:
    with pytest.raises(PolicyRefused) as refused:
        parse_policy(document)
    return refused.value.faults


def test_an_empty_document_decides_nothing() -> None:
    assert parse_policy("# nothing\n") == Policy()


def test_the_example_is_read() -> None:
    policy = parse_policy(EXAMPLE)

    assert policy.level_of("billing") is AutonomyLevel.SUPERVISED
    assert policy.level_of("research") is policy.level_of(None) is AutonomyLevel.SEMI_AUTONOMOUS
    first, second = policy.approvals[RiskLevel.CRITICAL].stages
    assert (first.over, second.over.amount if second.over else None) == (None, Decimal(1000))
    assert second.groups[0].roles == {DecidingRole.OWNER}
    assert policy.approvals[RiskLevel.MEDIUM].on_expiry is ExpiryOutcome.SKIP
    assert [rule.raise_to for rule in policy.risk_rules] == [RiskLevel.CRITICAL, RiskLevel.CRITICAL, RiskLevel.HIGH]


def test_addresses_domains_and_currencies_are_read_in_any_case() -> None:
    policy = parse_policy(
        "risk_rules: [{raise_to: high, outside: [Example.COM]}]\n"
        "approvals: {high: {stages: [{groups: [{users: [Ann@Example.com]}]},"
        " {over: {amount: 1, currency: eur}, groups: [{roles: [owner]}]}]}}"
    )

    assert policy.risk_rules[0].outside == {"example.com"}
    stages = policy.approvals[RiskLevel.HIGH].stages
    assert stages[0].groups[0].users == {"ann@example.com"}
    assert stages[1].over is not None
    assert stages[1].over.currency == "EUR"


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("limits: {}", "line 1: key 'limits' is not accepted; allowed: a mapping of autonomy, read_only_exempt"),
        (
            "\nautonomy: free",
            "line 2: autonomy: 'free' is not accepted; allowed: one of supervised, semi_autonomous, a",
        ),
        ("read_only_exempt: maybe", "line 1: read_only_exempt: 'maybe' is not accepted; allowed: true or false"),
        ("teams: {Ops!: {}}", "line 1: teams: key 'Ops!' is not accepted; allowed: a mapping of names of teams in sm"),
        ("teams: {ops: {level: x}}", "line 1: teams.ops: key 'level' is not accepted; allowed: a mapping of autonomy"),
        ("risk_rules: [{raise_to: low}]", "line 1: risk_rules.1: a rule names at least one of actions, amount_over, "),
        ("risk_rules: [{actions: [a]}]", "line 1: risk_rules.1: 'raise_to' is missing; it takes one of low, medium, "),
        ("risk_rules: [{raise_to: high, outside: ['a b']}]", "line 1: risk_rules.1.outside.1: 'a b' is not accepted"),
        (
            "approvals: {huge: {}}",
            "line 1: approvals: key 'huge' is not accepted; allowed: a mapping of low, medium, h",
        ),
        (
            "approvals: {high: {on_expiry: approve}}",
            "line 1: approvals.high.on_expiry: 'approve' is not accepted; "
            "allowed: one of reject, escalate, skip; silence never approves",
        ),
        (
            "approvals:\n  high:\n    stages:\n      - groups: [{needed: 0}]",
            "line 4: approvals.high.stages.1.groups.1.needed: '0' is not accepted; allowed: a whole number from 1 to",
        ),
        ("approvals: {low: {stages: [{groups: [{roles: [king]}]}]}}", "roles.1: 'king' is not accepted; allowed: a li"),
        (
            "approvals: {low: {stages: [{groups: []}]}}",
            "stages.1.groups: a list is not accepted; allowed: a list of at",
        ),
        (
            "approvals: {low: {stages: []}}",
            "approvals.low.stages: a list is not accepted; allowed: a list of 1 to 8 st",
        ),
        ("approvals: {low: {escalate_to: {needed: x}}}", "escalate_to.needed: 'x' is not accepted; allowed: a whole n"),
        (
            "approvals: {low: {expires_after_hours: 0}}",
            "expires_after_hours: '0' is not accepted; allowed: a number ab",
        ),
        ("approvals: {low: {reminders: [2]}}", "reminders.1: '2' is not accepted; allowed: a list of at most 5 shares"),
        (
            "approvals: {low: {stages: [{over: {amount: 1, currency: ZZZ}}, {}]}}",
            "'ZZZ' is not accepted; allowed: a cu",
        ),
        (
            "approvals: {low: {stages: [{over: {amount: 1, currency: XXX}}, {}]}}",
            "'XXX' is not accepted; allowed: a cu",
        ),
        ("approvals: {low: {stages: [{over: {amount: -1, currency: EUR}}, {}]}}", "over.amount: '-1' is not accepted;"),
        ("risk_rules: [{raise_to: low, amount_over: {amount: 1, currency: euro}}]", "currency: 'euro' is not accepted"),
        (
            "approvals: {low: {stages: [{over: {amount: 1, currency: EUR}}]}}",
            "at least one stage applies to every amou",
        ),
        ("approvals: {high: {self_approval: true}}", "self_approval is not allowed for high"),
        ("approvals: {critical: {self_approval: true}}", "self_approval is not allowed for critical"),
        (
            "approvals: {low: {stages: [{groups: [{users: [a@b.c], needed: 2}]}]}}",
            "approvals.low: stage 'approval' needs 2 of 1 people",
        ),
        ("- autonomy", "line 1: a list is not accepted; allowed: a mapping of autonomy"),
        ("a: &x 1", "anchors and aliases are refused"),
        ("autonomy: supervised\nautonomy: autonomous", "key 'autonomy' stands twice"),
    ],
)
def test_a_fault_is_named_with_its_place_value_and_what_is_allowed(document: str, fault: str) -> None:
    (found,) = faults(document)

    assert fault in found


def test_every_fault_is_named_at_once() -> None:
    assert len(faults("autonomy: x\nteams: {A: {}}\nrisk_rules: [{}]\napprovals: {high: {on_expiry: approve}}")) == 4


def test_a_long_document_is_refused_before_it_is_read() -> None:
    (fault,) = faults("#" * (MAX_DOCUMENT_BYTES + 1))

    assert fault == "the document has 64,001 bytes of UTF-8; at most 64,000 are allowed"


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_document_is_read_or_refused_and_nothing_else(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - no secret
    text = list(EXAMPLE)
    for _ in range(draw.randrange(1, 8)):
        text[draw.randrange(len(text))] = draw.choice("{}[]:,-#&*!|>'\"\n 0x\x00é")

    # Anything else that is raised fails the test.
    with suppress(PolicyRefused):
        parse_policy("".join(text))
