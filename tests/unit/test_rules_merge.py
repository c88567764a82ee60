"""An organisation can only tighten: by what it says, and whatever the project says later."""

import random
from decimal import Decimal

import pytest

from maos.actions import ActionSpec
from maos.approval_policy import DecidingRole
from maos.approvals import Decision as Answer
from maos.approvals import DecisionPath as Path
from maos.decisions import DecisionRequest, Reviewer, refusal_of
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.private_data import DataPattern
from maos.risk import RiskLevel
from maos.rules import Approvers, EmailRules, Limits, Rules, StaysInside, WebhookRules
from maos.rules_check import limit_faults, policy_of, step_faults, tightened_actions
from maos.rules_merge import looser_faults, tightened
from maos.rules_view import Direction, changes
from maos.statuses import ApprovalStatus
from tests.runs import NOW, Nothing, approval

_ADDRESSES = ("ann@a.example", "bob@a.example", "eve@b.example")
_DOMAINS = ("a.example", "b.example", "c.example")
_ACTIONS = ("send_email", "call_webhook", "look")
SPECS = {
    "send_email": (EngineType.INTERNAL_SERVICE, Effect(kind=EffectKind.EMAIL)),
    "call_webhook": (EngineType.INTERNAL_SERVICE, Effect(kind=EffectKind.WEBHOOK)),
    "look": (EngineType.CLAUDE_CLI, None),
}
ACTIONS = {
    name: ActionSpec(name=name, engine=engine, risk=RiskLevel.LOW, title="Act.", parameters=Nothing, effect=effect)
    for name, (engine, effect) in SPECS.items()
}
_TEXTS = ("all is well", "falcon flies", "eagle lands", "the salary", "DE89 3704 0044 0532 0130 00")


def some(choose: random.Random, of: tuple[str, ...]) -> frozenset[str]:
    return frozenset(choose.sample(of, choose.randint(0, len(of))))


def maybe(choose: random.Random, of: tuple[str, ...]) -> frozenset[str] | None:
    return None if choose.random() < 0.4 else some(choose, of)


def limit(choose: random.Random, most: int) -> int | None:
    return None if choose.random() < 0.4 else choose.randint(1, most)


def random_rules(choose: random.Random) -> Rules:
    return Rules(
        engines=maybe(choose, tuple(EngineType)),
        actions=maybe(choose, _ACTIONS),
        forbidden_terms=some(choose, ("falcon", "eagle")),
        forbidden_topics={"birds": frozenset({"flies"})} if choose.random() < 0.5 else {},
        limits=Limits(steps=limit(choose, 9), parallelism=limit(choose, 9), cost_usd=limit(choose, 9)),
        ask_first={
            name: Approvers(roles=some(choose, tuple(DecidingRole)), users=maybe(choose, _ADDRESSES))
            for name in some(choose, _ACTIONS)
        },
        email=EmailRules(recipients=maybe(choose, _ADDRESSES), domains=maybe(choose, _DOMAINS)),
        webhooks=WebhookRules(hosts=maybe(choose, _DOMAINS)),
        stays_inside=StaysInside(fields=some(choose, ("salary",)), patterns=some(choose, tuple(DataPattern))),
    )


def refused(rules: Rules) -> set[str]:
    """Return every deed of a small world that these rules refuse."""
    deeds = {f"steps {n}" for n in range(1, 10) if limit_faults(rules, steps=n, cost_cap_usd=None)}
    deeds |= {f"cap {n}" for n in range(1, 10) if limit_faults(rules, steps=1, cost_cap_usd=Decimal(n))}
    for text in _TEXTS:
        for address in (*_ADDRESSES, "joe@c.example"):
            if step_faults(rules, ACTIONS["send_email"], {"to": [address], "body": text}):
                deeds.add(f"mail {address} {text}")
        for host in (*_DOMAINS, "d.example"):
            if step_faults(rules, ACTIONS["call_webhook"], {"url": f"https://{host}/x", "body": text}):
                deeds.add(f"call {host} {text}")
        if step_faults(rules, ACTIONS["look"], {"text": text}):
            deeds.add(f"look {text}")
    unasked = {name for name, spec in tightened_actions(ACTIONS, rules).items() if not spec.always_asks}
    deeds |= {f"unasked {name}" for name in _ACTIONS if name not in unasked}
    deeds |= {
        f"approve {name} {who} {role}"
        for name in _ACTIONS
        for who in _ADDRESSES
        for role in (*DecidingRole, "author")
        if refusal_of(
            approval("a", ApprovalStatus.PENDING, policy=policy_of(rules, name)),
            DecisionRequest(decision=Answer.APPROVE, reviewer=who, via=Path.FORM),
            Reviewer(email=who, roles=frozenset({role})),
            votes=(),
            now=NOW,
        )
    }
    return deeds


@pytest.mark.parametrize("seed", range(60))
def test_tightened_rules_refuse_what_either_refuses_and_nothing_else(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - of a test
    project, own = random_rules(choose), random_rules(choose)
    both = refused(project) | refused(own)

    merged = refused(tightened(project, own))

    assert merged >= both
    # An approval that the two together leave to nobody refuses its action outright; nothing else is added.
    left_to_nobody = {name for name, who in tightened(project, own).ask_first.items() if who.nobody}
    if not left_to_nobody:
        assert merged == both


@pytest.mark.parametrize("seed", range(60))
def test_tightening_never_shows_a_key_as_looser(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - of a test
    project, own = random_rules(choose), random_rules(choose)

    assert {change.direction for change in changes(project, tightened(project, own))} <= {Direction.TIGHTER}


PROJECT = Rules(
    engines=frozenset({EngineType.INTERNAL_SERVICE}),
    actions=frozenset({"look", "send_email"}),
    limits=Limits(steps=10, cost_usd=Decimal(5)),
    ask_first={"look": Approvers(roles=frozenset({DecidingRole.OWNER}), users=frozenset({"ann@a.example"}))},
    email=EmailRules(recipients=frozenset({"ann@a.example"}), domains=frozenset({"b.example"})),
    webhooks=WebhookRules(hosts=frozenset({"a.example"})),
)


@pytest.mark.parametrize(
    ("own", "faults"),
    [
        (
            Rules(engines=frozenset({EngineType.CLAUDE_CLI})),
            ["engines: 'claude_cli' is looser than the project's rules; allowed: internal_service"],
        ),
        (
            Rules(actions=frozenset({"fly", "look"})),
            ["actions: 'fly' is looser than the project's rules; allowed: look, send_email"],
        ),
        (
            Rules(limits=Limits(steps=11, cost_usd=Decimal("5.5"))),
            [
                "limits.steps: '11' is looser than the project's rules; "
                "allowed: at most 10, as the project's rules say",
                "limits.cost_usd: '5.5' is looser than the project's rules; "
                "allowed: at most 5, as the project's rules say",
            ],
        ),
        (
            Rules(ask_first={"look": Approvers(roles=frozenset({DecidingRole.REVIEWER}))}),
            ["ask_first.look.roles: 'reviewer' is looser than the project's rules; allowed: owner"],
        ),
        (
            Rules(ask_first={"look": Approvers(users=frozenset({"bob@a.example"}))}),
            ["ask_first.look.users: 'bob@a.example' is looser than the project's rules; allowed: ann@a.example"],
        ),
        (
            Rules(email=EmailRules(recipients=frozenset({"eve@c.example", "joe@b.example"}))),
            [
                "email.recipients: 'eve@c.example' is looser than the project's rules; "
                "allowed: addresses ann@a.example; domains b.example"
            ],
        ),
        (
            Rules(webhooks=WebhookRules(hosts=frozenset({"d.example"}))),
            ["webhooks.hosts: 'd.example' is looser than the project's rules; allowed: a.example"],
        ),
        (
            Rules(
                limits=Limits(steps=3, parallelism=2),
                ask_first={"send_email": Approvers(roles=frozenset({DecidingRole.OWNER}))},
                forbidden_terms=frozenset({"falcon"}),
                email=EmailRules(domains=frozenset({"b.example"})),
            ),
            [],
        ),
    ],
)
def test_what_is_looser_is_named_with_key_value_and_what_is_allowed(own: Rules, faults: list[str]) -> None:
    assert looser_faults(PROJECT, own) == faults


def test_a_project_that_gets_tighter_later_still_wins() -> None:
    own = Rules(limits=Limits(steps=8), webhooks=WebhookRules(hosts=frozenset({"a.example", "b.example"})))
    later = Rules(limits=Limits(steps=4), webhooks=WebhookRules(hosts=frozenset({"b.example", "c.example"})))

    assert tightened(later, own).limits.steps == 4
    assert tightened(later, own).webhooks.hosts == {"b.example"}
