"""What the rules say of a step with its parameters, of plans and of runs."""

from datetime import timedelta
from decimal import Decimal

import pytest

from maos.actions import ActionSpec, JsonObject
from maos.approval_policy import ApprovalPolicy, DecidingRole
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.frontier import next_move
from maos.plan_check import check_plan, extended_plan
from maos.plans import Plan
from maos.private_data import DataPattern
from maos.risk import RiskLevel
from maos.rules import Approvers, EmailRules, Limits, Rules, StaysInside, WebhookRules
from maos.rules_check import (
    cap_under,
    held_to,
    overdue,
    policy_of,
    step_faults,
    text_faults,
    tightened_actions,
    unknown_actions,
)
from maos.runs import Ledger
from maos.statuses import RunStatus
from tests.runs import ACTIONS, NOW, Nothing, run_of, step


def spec(name: str, effect: EffectKind | None = None) -> ActionSpec:
    return ActionSpec(
        name=name,
        engine=EngineType.INTERNAL_SERVICE,
        risk=RiskLevel.LOW,
        title="Act.",
        parameters=Nothing,
        effect=Effect(kind=effect) if effect else None,
    )


MAIL, HOOK, LOOK = spec("send_email", EffectKind.EMAIL), spec("call_webhook", EffectKind.WEBHOOK), spec("look")
RULES = Rules(
    forbidden_terms=frozenset({"Project Falcon"}),
    forbidden_topics={"layoffs": frozenset({"redundancy"})},
    email=EmailRules(recipients=frozenset({"boss@partner.example"}), domains=frozenset({"example.com"})),
    webhooks=WebhookRules(hosts=frozenset({"hooks.example.com"})),
    stays_inside=StaysInside(fields=frozenset({"date_of_birth", "salar*"}), patterns=frozenset(DataPattern)),
)
_FALCON = "has the forbidden term 'Project Falcon'"
_ALLOWED = "allowed: addresses boss@partner.example; domains example.com"


@pytest.mark.parametrize(
    ("action", "parameters", "faults"),
    [
        (LOOK, {"text": "All is well."}, []),
        (LOOK, {"text": "PROJECT\n  falcon"}, ["parameter text: has the forbidden term 'Project Falcon'"]),
        (LOOK, {"text": "Pro\u00adject Fal\u200bcon"}, ["parameter text: has the forbidden term 'Project Falcon'"]),
        (LOOK, {"text": "\uff30roject Falcon"}, ["parameter text: has the forbidden term 'Project Falcon'"]),
        (LOOK, {"text": "Project Falconer"}, []),
        (
            LOOK,
            {"deep": {"list": [{"x": "project falcon"}]}},
            ["parameter deep: has the forbidden term 'Project Falcon'"],
        ),
        (LOOK, {"deep": {"Project Falcon": 1}}, ["parameter deep: has the forbidden term 'Project Falcon'"]),
        (LOOK, {"body": '{"a": "\\u0050roject Falcon"}'}, ["parameter body: has the forbidden term 'Project Falcon'"]),
        (LOOK, {"text": "https://x.example/?q=Project%20Falcon"}, [f"parameter text: {_FALCON}"]),
        (LOOK, {"text": "https://x.example/?q=Project+Falcon"}, [f"parameter text: {_FALCON}"]),
        (LOOK, {"text": "Redundancy!"}, ["parameter text: touches the forbidden topic 'layoffs' by 'redundancy'"]),
        # What stays inside concerns actions that reach outside.
        (LOOK, {"text": "date of birth, salary"}, []),
        (MAIL, {"to": ["ann@example.com", "BOSS@partner.example"], "body": ""}, []),
        (MAIL, {"to": ["eve@evil.example"]}, [f"parameter to: 'eve@evil.example' is not allowed; {_ALLOWED}"]),
        (MAIL, {"to": ["eve@sub.example.com"]}, [f"parameter to: 'eve@sub.example.com' is not allowed; {_ALLOWED}"]),
        (
            MAIL,
            {"to": ["a@example.com"], "cc": "x@y.example"},
            [f"parameter cc: 'x@y.example' is not allowed; {_ALLOWED}"],
        ),
        (MAIL, {"receiver": "eve@evil.example"}, [f"it does not say in bcc, cc, to who gets it; {_ALLOWED}"]),
        (
            MAIL,
            {"to": ["a@example.com"], "body": "dateOfBirth and Salaries"},
            [
                "parameter body: carries 'date_of_birth', which stays inside",
                "parameter body: carries 'salar*', which stays inside",
            ],
        ),
        (
            MAIL,
            {"to": ["a@example.com"], "body": "Pay 4111 1111 1111 1111 now"},
            ["parameter body: carries a card_number, which stays inside"],
        ),
        (MAIL, {"to": ["a@example.com"], "body": "Order 4111 1111 1111 1112"}, []),
        (
            MAIL,
            {"to": ["a@example.com"], "body": "IBAN DE89 3704 0044 0532 0130 00 please"},
            ["parameter body: carries a iban, which stays inside"],
        ),
        (HOOK, {"url": "https://HOOKS.example.com:8443/x", "body": "{}"}, []),
        (
            HOOK,
            {"url": "https://hooks.example.com.evil.example/", "body": "{}"},
            ["parameter url: host 'hooks.example.com.evil.example' is not allowed; allowed: hooks.example.com"],
        ),
        (
            HOOK,
            {"url": "https://hooks.example.com@evil.example/", "body": "{}"},
            ["parameter url: host 'evil.example' is not allowed; allowed: hooks.example.com"],
        ),
        (HOOK, {"body": "{}"}, ["it does not say in url whom it calls; allowed hosts: hooks.example.com"]),
        (
            HOOK,
            {"url": "https://hooks.example.com/", "body": '{"salary": 4111111111111111}'},
            [
                "parameter body: carries 'salar*', which stays inside",
                "parameter body: carries a card_number, which stays inside",
            ],
        ),
    ],
)
def test_a_step_is_judged_by_its_parameters(action: ActionSpec, parameters: JsonObject, faults: list[str]) -> None:
    assert step_faults(RULES, action, parameters) == faults


def test_engine_action_and_approvers_are_judged_too() -> None:
    rules = Rules(
        engines=frozenset({EngineType.CLAUDE_CLI}),
        actions=frozenset({"write"}),
        ask_first={"look": Approvers(users=frozenset())},
    )

    assert step_faults(rules, LOOK, {}) == [
        "engine internal_service is not allowed; allowed: claude_cli",
        "action 'look' is not allowed; allowed: write",
        "action 'look' needs an approval that the rules let nobody give",
    ]


def test_an_answer_is_judged_by_its_text() -> None:
    answer = {"headline": "Project Falcon leads", "paragraphs": ["Fine.", "A redundancy."]}

    assert text_faults(RULES, answer) == [
        "headline: has the forbidden term 'Project Falcon'",
        "paragraphs: touches the forbidden topic 'layoffs' by 'redundancy'",
    ]


def test_rules_and_structure_of_a_plan_are_refused_at_once() -> None:
    rules = Rules(actions=frozenset({"low"}), limits=Limits(steps=1, cost_usd=Decimal(5)))
    plan = Plan(steps=(step("a", "medium"), step("b", after=("nowhere",))))

    with pytest.raises(PlanRefused) as refused:
        check_plan(plan, ACTIONS, rules, cost_cap_usd=Decimal("5.01"))

    assert refused.value.faults == (
        "step 'b' depends on 'nowhere', which the plan does not have",
        "2 steps; the rules allow at most 1",
        "cost_cap_usd: 5.01 is not allowed; the rules allow at most 5",
        "step 'a': action 'medium' is not allowed; allowed: low",
    )


def test_parallelism_is_lowered_and_a_cap_is_given() -> None:
    rules = Rules(limits=Limits(parallelism=2, cost_usd=Decimal(5)))
    plan = Plan(steps=(step("a"),), parallelism=8)

    assert held_to(plan, rules).parallelism == 2
    assert held_to(plan.model_copy(update={"parallelism": 1}), rules).parallelism == 1
    assert held_to(plan, Rules()) is plan
    assert (cap_under(rules, None), cap_under(rules, Decimal(1)), cap_under(Rules(), None)) == (5, 1, None)


def test_asking_first_makes_an_action_ask_and_says_whom() -> None:
    approvers = Approvers(roles=frozenset({DecidingRole.OWNER}), users=frozenset({"ann@a.example"}))
    rules = Rules(ask_first={"low": approvers, "gone": approvers})

    specs = tightened_actions(ACTIONS, rules)

    assert [name for name, each in specs.items() if each.always_asks] == ["low"]
    assert policy_of(rules, "low") == ApprovalPolicy(roles=frozenset({"owner"}), users=frozenset({"ann@a.example"}))
    assert policy_of(rules, "medium") == ApprovalPolicy()
    assert unknown_actions(rules, ACTIONS) == ["action 'gone' is unknown; allowed: critical, high, low, medium"]


@pytest.mark.parametrize(
    ("seconds", "waited", "late"), [(60, 0, False), (61, 0, True), (3600, 3540, False), (3600, 3539, True)]
)
def test_time_counts_from_the_start_without_what_was_waited(seconds: int, waited: int, late: bool) -> None:
    run = run_of(step("a")).model_copy(update={"waited_seconds": float(waited)})

    reason = overdue(Rules(limits=Limits(wall_time_seconds=60)), run, NOW + timedelta(seconds=seconds))

    assert reason == ("it has taken longer than the 60 seconds that its rules allow" if late else None)
    assert overdue(Rules(), run, NOW + timedelta(days=9)) is None


def test_an_overdue_run_begins_nothing_lets_what_runs_end_and_fails() -> None:
    run = run_of(step("a"), step("b", after=("a",)))
    half, done = Ledger(finished={"a": None}), Ledger(finished={"a": None, "b": None})

    assert next_move(run, half, ACTIONS, busy=set(), overdue="late").end is RunStatus.FAILED
    assert next_move(run, half, ACTIONS, busy=set(), overdue="late").reason == "late"
    assert next_move(run, half, ACTIONS, busy={"b"}, overdue="late").end is None
    assert next_move(run, done, ACTIONS, busy=set(), overdue="late").end is RunStatus.COMPLETED


def test_text_that_is_nested_beyond_reason_is_still_read() -> None:
    deep: JsonObject = {"text": "[" * 20_000 + "falcon"}
    nested = "[" * 900 + '"project falcon"' + "]" * 900

    assert step_faults(Rules(forbidden_terms=frozenset({"falcon"})), LOOK, deep) == [
        "parameter text: has the forbidden term 'falcon'"
    ]
    assert step_faults(RULES, LOOK, {"text": nested}) == ["parameter text: has the forbidden term 'Project Falcon'"]


def test_steps_that_an_outcome_adds_pass_the_same_rules() -> None:
    plan = Plan(steps=(step("a"),))
    added = {"id": "b", "agent": "clerk", "engine": "internal_service", "action": "medium"}

    with pytest.raises(PlanRefused) as refused:
        extended_plan(plan, [added], ACTIONS, Rules(actions=frozenset({"low"}), limits=Limits(steps=1)))

    assert refused.value.faults == (
        "2 steps; the rules allow at most 1",
        "step 'b': action 'medium' is not allowed; allowed: low",
    )
