"""A rehearsal of rules counts exactly what is written out here."""

from decimal import Decimal
from uuid import UUID

import pytest

from maos.actions import ActionSpec
from maos.approval_policy import DecidingRole
from maos.autonomy import AutonomyLevel
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.policy import PolicyBook
from maos.risk import RiskLevel
from maos.rules import Approvers, EmailRules, Limits, Rules
from maos.rules_rehearsal import Load, PastAction, Proposal, Rehearsal, Reviewer, Verdict, rehearsed
from tests.runs import Nothing

_SPECS = (("look", RiskLevel.LOW, None), ("mail", RiskLevel.HIGH, EffectKind.EMAIL))
ACTIONS = {
    name: ActionSpec(
        name=name,
        engine=EngineType.INTERNAL_SERVICE,
        risk=risk,
        title="Act.",
        parameters=Nothing,
        effect=Effect(kind=effect) if effect else None,
    )
    for name, risk, effect in _SPECS
}
REVIEWERS = (
    Reviewer(email="ann@a.example", roles=frozenset({"owner"})),
    Reviewer(email="bob@a.example", roles=frozenset({"reviewer"})),
    Reviewer(email="cat@a.example", roles=frozenset({"author"})),
)


def past(number: int, action: str = "look", **fields: object) -> PastAction:
    facts = {
        "run_id": UUID(int=number),
        "step_id": "s",
        "action": action,
        "parameters": {"to": ["ann@a.example"]} if action == "mail" else {},
        "final": action == "mail",
        "asked": action == "mail",
        "initiator": "cat@a.example",
        "autonomy": AutonomyLevel.SEMI_AUTONOMOUS,
        "steps_of_run": 3,
        "spent_usd": Decimal(1),
        "at_most_usd": Decimal(2),
    }
    return PastAction.model_validate(facts | fields)


PAST = (
    past(1),
    past(2),
    past(3, "mail"),
    past(4, "mail", initiator="ann@a.example"),
    past(5, "mail", parameters={"to": ["eve@b.example"]}),
    past(6, "gone"),
    past(7, steps_of_run=9),
)
RULES = Rules(email=EmailRules(domains=frozenset({"a.example"})), limits=Limits(steps=5))


def rehearse(
    rules: Rules = RULES, autonomy: AutonomyLevel | None = None, acts: tuple[PastAction, ...] = PAST
) -> Rehearsal:
    proposal = Proposal(rules=rules, autonomy=autonomy, policies=PolicyBook())
    return rehearsed(acts, proposal, ACTIONS, reviewers=REVIEWERS, days=10)


def test_each_action_is_counted_once_under_its_verdict() -> None:
    found = {each.action: each for each in rehearse().actions}

    assert {name: (each.alone, each.waits, each.refused) for name, each in found.items()} == {
        "gone": (0, 0, 1),
        "look": (2, 0, 1),
        "mail": (0, 2, 1),
    }
    assert (found["mail"].asked_then, found["mail"].by_plan) == (3, 0)
    assert (found["look"].asked_then, found["look"].by_plan) == (0, 3)
    assert found["mail"].examples[0].reason == (
        "parameter to: 'eve@b.example' is not allowed; allowed: addresses none; domains a.example"
    )
    assert found["look"].examples[0].reason == "9 steps; the rules allow at most 5"


def test_money_is_told_by_verdict() -> None:
    assert [(each.verdict, each.actions, each.spent_usd, each.at_most_usd) for each in rehearse().stakes] == [
        (Verdict.REFUSED, 3, Decimal(3), Decimal(6)),
        (Verdict.WAITS, 2, Decimal(2), Decimal(4)),
        (Verdict.ALONE, 2, Decimal(2), Decimal(4)),
    ]


def test_approvals_are_shared_by_those_who_may_give_them() -> None:
    # Of the two that wait, Ann started one: she shares the other with Bob.
    assert rehearse().reviewers == (
        Load(reviewer="ann@a.example", may_decide=1, share=Decimal("0.50"), per_day=Decimal("0.05")),
        Load(reviewer="bob@a.example", may_decide=2, share=Decimal("1.50"), per_day=Decimal("0.15")),
    )


def test_what_nobody_may_decide_is_counted() -> None:
    only_ann = Approvers(roles=frozenset({DecidingRole.OWNER}))
    found = rehearse(RULES.model_copy(update={"ask_first": {"mail": only_ann}}))

    assert found.nobody_may_decide == 1
    assert [(load.reviewer, load.may_decide) for load in found.reviewers] == [("ann@a.example", 1)]


@pytest.mark.parametrize(
    ("autonomy", "requested", "verdict"),
    [
        (None, None, Verdict.ALONE),
        (AutonomyLevel.SUPERVISED, None, Verdict.WAITS),
        (AutonomyLevel.AUTONOMOUS, None, Verdict.ALONE),
        (AutonomyLevel.AUTONOMOUS, AutonomyLevel.SUPERVISED, Verdict.WAITS),
    ],
)
def test_a_request_stays_as_strict_as_it_was(
    autonomy: AutonomyLevel | None, requested: AutonomyLevel | None, verdict: Verdict
) -> None:
    found = rehearse(autonomy=autonomy, acts=(past(1, requested=requested),))

    assert [each.verdict for each in found.stakes if each.actions] == [verdict]


def test_asking_first_makes_wait_what_ran_alone() -> None:
    found = rehearse(Rules(ask_first={"look": Approvers()}), acts=(past(1), past(2)))

    assert [(each.alone, each.waits) for each in found.actions] == [(0, 2)]
