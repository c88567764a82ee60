"""What becomes of a call of an agent, who is on its team, and what it may not exceed."""

from decimal import Decimal

import pytest
from pydantic import BaseModel, ValidationError

from maos.actions import ActionSpec, AmountField
from maos.agent_limits import LONGEST_REPLY_TOKENS, Used, check_money, reply_tokens
from maos.agent_policy import Judgement, Ruling, judge, within_means
from maos.agent_prompt import system_of, tools_of
from maos.agent_team import Member, Team
from maos.autonomy import AutonomyLevel
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.errors import LimitReached, PlanRefused
from maos.investigation import INVESTIGATE, AgentLimits, InvestigationParameters
from maos.plan_check import check_plan
from maos.plans import Plan, PlanStep
from maos.policy import Policy
from maos.risk import Amount, RiskLevel, RiskRule
from maos.rules import Rules
from maos.runs import Run
from tests.runs import ACTIONS, run_of, step

SUPERVISED, SEMI, AUTONOMOUS = AutonomyLevel


class _Parameters(BaseModel):
    text: str = ""


class _Payment(BaseModel):
    sum: Decimal = Decimal(1)
    money: str = "EUR"


def _spec(name: str, **facts: object) -> ActionSpec:
    service = {"engine": EngineType.INTERNAL_SERVICE, "risk": RiskLevel.LOW, "title": "Act.", "parameters": _Parameters}
    return ActionSpec.model_validate({"name": name, **service, **facts})


SPECS = {
    **ACTIONS,
    "send": _spec("send", effect=Effect(kind=EffectKind.EMAIL)),
    "read": _spec("read", inputs={"facts": dict}),
    "propose": _spec("propose", proposes_steps=True),
    "ask": _spec("ask", always_asks=True),
    "look": _spec("look", read_only=True),
    "draw": _spec("draw", engine=EngineType.GEMINI_IMAGE),
    "pay": _spec("pay", parameters=_Payment, amount=AmountField(amount="sum", currency="money")),
    INVESTIGATE.name: INVESTIGATE,
}


def _member(*tools: str, autonomy: AutonomyLevel | None = None) -> Member:
    return Member("Ada", "", tools or tuple(SPECS), (), autonomy)


def judged(
    run: Run, action: str, caller: Member | None = None, *, policy: Policy | None = None, **arguments: object
) -> Judgement:
    return judge(
        run, caller or _member(), action, SPECS, arguments=arguments, policy=policy or Policy(autonomy=AUTONOMOUS)
    )


@pytest.mark.parametrize(
    ("run", "agent", "action", "ruling"),
    [
        (SEMI, None, "low", Ruling.RUN),
        (SEMI, None, "medium", Ruling.STEP),
        (SEMI, SUPERVISED, "low", Ruling.STEP),
        # Nobody becomes freer than the run.
        (SUPERVISED, AUTONOMOUS, "low", Ruling.STEP),
        (AUTONOMOUS, None, "high", Ruling.RUN),
        (AUTONOMOUS, SEMI, "high", Ruling.STEP),
        (AUTONOMOUS, None, "critical", Ruling.STEP),
        # Whatever the autonomy, these are the executor's.
        (AUTONOMOUS, None, "send", Ruling.STEP),
        (AUTONOMOUS, None, "read", Ruling.STEP),
        (AUTONOMOUS, None, "propose", Ruling.STEP),
        (AUTONOMOUS, None, "ask", Ruling.STEP),
        (AUTONOMOUS, None, "draw", Ruling.REFUSE),
        (AUTONOMOUS, None, "investigate", Ruling.REFUSE),
        (AUTONOMOUS, None, "nothing", Ruling.REFUSE),
    ],
)
def test_a_call_runs_becomes_a_step_or_is_refused(
    run: AutonomyLevel, agent: AutonomyLevel | None, action: str, ruling: Ruling
) -> None:
    judgement = judged(run_of(step("a"), autonomy=run), action, _member(autonomy=agent))

    assert judgement.ruling is ruling
    assert bool(judgement.reason) is (ruling is Ruling.REFUSE)


def test_what_only_reads_runs_unasked_where_the_organisation_says_so() -> None:
    run = run_of(step("a"), autonomy=SUPERVISED)

    assert judged(run, "look").ruling is Ruling.STEP
    exempt = run.model_copy(update={"read_only_exempt": True})
    assert judged(exempt, "look").ruling is Ruling.RUN


def test_an_action_that_is_not_its_own_is_refused() -> None:
    judgement = judged(run_of(step("a")), "high", _member("medium", "low"))

    assert judgement.reason == "'high' is no action that you may use; yours are: low, medium"


def test_proposed_steps_are_within_the_means_of_whoever_proposes_them() -> None:
    freer = {"id": "a", "action": "low", "autonomy": "autonomous"}

    assert within_means([freer], _member("low", autonomy=SUPERVISED))[0]["autonomy"] == "supervised"
    assert within_means([{"id": "a", "action": "low"}], _member("low")) == ({"id": "a", "action": "low"},)
    with pytest.raises(PlanRefused, match="proposed step 2: 'high' is no action that you may use; yours are: low"):
        within_means([freer, {"id": "b", "action": "high"}], _member("low"))


def _team(*subs: dict[str, object], autonomy: AutonomyLevel | None = None) -> Team:
    lead = PlanStep(id="research", agent="Ada", engine=EngineType.DEEP_AGENT, action="investigate", autonomy=autonomy)
    return Team(lead, InvestigationParameters.model_validate({"goal": "g", "sub_agents": subs}))


@pytest.mark.parametrize(
    ("lead", "levels", "ends"),
    [
        (None, (None, None), None),
        (SEMI, (None, None), SEMI),
        (None, (SUPERVISED, AUTONOMOUS), SUPERVISED),
        (SEMI, (AUTONOMOUS, None), SEMI),
        (AUTONOMOUS, (SEMI, SUPERVISED), SUPERVISED),
    ],
)
def test_nobody_is_more_autonomous_than_whoever_handed_the_task_on(
    lead: AutonomyLevel | None, levels: tuple[AutonomyLevel | None, ...], ends: AutonomyLevel | None
) -> None:
    subs = [{"name": name, "goal": "g", "autonomy": level} for name, level in zip("ab", levels, strict=True)]

    assert _team(*subs, autonomy=lead).member(("a", "b")).autonomy is ends


def test_a_task_goes_to_somebody_known_who_is_not_at_work_on_it() -> None:
    names = [f"a{number}" for number in range(7)]
    team = _team(*({"name": name, "goal": "g", "sub_agents": names} for name in names))

    assert team.refusal((), "a0") is None
    assert "no agent 'x'" in (team.refusal((), "x") or "")
    assert "at work" in (team.refusal(("a0", "a1"), "a0") or "")
    assert team.refusal(tuple(names[:4]), "a4") is None
    assert "at most 5 deep" in (team.refusal(tuple(names[:5]), "a5") or "")


def _plan(parameters: dict[str, object], autonomy: AutonomyLevel | None = None) -> Plan:
    return Plan(
        steps=(
            PlanStep(
                id="research",
                agent="Ada",
                engine=EngineType.DEEP_AGENT,
                action="investigate",
                parameters=parameters,
                autonomy=autonomy,
            ),
        )
    )


def test_every_fault_of_a_team_is_named_with_the_plan() -> None:
    subs = [
        {"name": "a", "goal": "g", "tools": ["high", "gone"], "autonomy": "semi_autonomous", "sub_agents": ["b"]},
        {"name": "b", "goal": "g", "autonomy": "autonomous"},
    ]
    plan = _plan({"goal": "g", "tools": ["low", "draw"], "sub_agents": subs}, autonomy=SUPERVISED)

    with pytest.raises(PlanRefused) as refused:
        check_plan(plan, SPECS, Rules())

    faults = [fault.partition("; allowed")[0] for fault in refused.value.faults]
    assert faults == [
        "step 'research': tools: 'draw' is no action of a service",
        "step 'research': sub-agent 'a': tools: 'gone' is no action of a service",
        "step 'research': sub-agent 'a' is semi_autonomous, more than the step, which is supervised",
        "step 'research': sub-agent 'b' is autonomous, more than sub-agent 'a', which is semi_autonomous",
        "step 'research': sub-agent 'b' is autonomous, more than the step, which is supervised",
    ]


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({}, "parameter goal: Field required"),
        ({"goal": "g", "colour": 1}, "parameter colour: Extra inputs are not permitted"),
        ({"goal": "g", "limits": {"turns": 0}}, "parameter limits.turns: Input should be greater than or equal to 1"),
        ({"goal": "g", "limits": {"money_usd": 101}}, "parameter limits.money_usd: Input should be less than or equal"),
        ({"goal": "g", "sub_agents": [{"name": "a", "goal": "g"}] * 2}, "'a' stands 2 times"),
        ({"goal": "g", "sub_agents": [{"name": "a", "goal": "g", "sub_agents": ["b"]}]}, "'a' names 'b'; known: a"),
        ({"goal": "g", "sub_agents": [{"name": "A B", "goal": "g"}]}, "parameter sub_agents.0.name: String should"),
        ({"goal": "g", "tools": ["recall"]}, "tools: 'recall' is the name of a tool that every agent has"),
        ({"goal": "{{ nowhere }}"}, "parameter goal: the name 'nowhere' is not an input"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters: dict[str, object], fault: str) -> None:
    with pytest.raises(PlanRefused, match="research") as refused:
        check_plan(_plan(parameters), SPECS, Rules())

    assert fault in str(refused.value)


def test_each_limit_is_named_when_it_is_used_up() -> None:
    limits = AgentLimits(turns=2, tokens=10_000, money_usd=Decimal(1), wall_seconds=60)

    assert reply_tokens(limits, Used(turns=1, tokens=500)) == LONGEST_REPLY_TOKENS
    assert reply_tokens(limits, Used(tokens=9_000)) == 1_000
    check_money(limits, Used(money_usd=Decimal("0.4")), Decimal("0.6"))
    for used, name in ((Used(turns=2), "turns"), (Used(tokens=9_999), "tokens"), (Used(seconds=60), "wall time")):
        with pytest.raises(LimitReached, match=f"the limit of {name} is reached"):
            reply_tokens(limits, used)
    with pytest.raises(LimitReached, match=r"0\.6 USD are left and the next call could cost 0\.61 USD"):
        check_money(limits, Used(money_usd=Decimal("0.4")), Decimal("0.61"))


def test_tools_are_told_in_one_order_whatever_order_the_plan_names_them_in() -> None:
    one = [tool.name for tool in tools_of(_member("medium", "low", "low"), SPECS)]
    other = [tool.name for tool in tools_of(_member("low", "medium"), SPECS)]

    assert one == other
    assert one[-2:] == ["low", "medium"]


def test_an_action_that_reads_outcomes_says_so_as_a_tool() -> None:
    (tool,) = [tool for tool in tools_of(_member("read"), SPECS) if tool.name == "read"]

    assert tool.input_schema["required"] == ["parameters", "inputs"]
    assert tool.input_schema["properties"]["inputs"]["required"] == ["facts"]


def test_the_house_rules_are_part_of_what_an_agent_is_told() -> None:
    told = system_of(Member("Ada", "Patient.", (), (), None), "Never shout.")

    assert told.startswith("You are Ada.\n\nPatient.\n\nNever shout.\n\n")


def test_unknown_fields_of_limits_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        AgentLimits.model_validate({"hours": 3})


@pytest.mark.parametrize(
    ("arguments", "ruling"),
    [
        ({"sum": "5"}, Ruling.RUN),
        ({"sum": "1001"}, Ruling.STEP),
        # The default counts where nothing is given, and what cannot be read counts as critical.
        ({}, Ruling.RUN),
        ({"sum": "1", "money": "shells"}, Ruling.STEP),
    ],
)
def test_a_call_is_judged_by_the_risk_that_its_arguments_raise_it_to(
    arguments: dict[str, object], ruling: Ruling
) -> None:
    over = RiskRule(raise_to=RiskLevel.CRITICAL, amount_over=Amount(amount=Decimal(1000), currency="EUR"))
    policy = Policy(autonomy=AUTONOMOUS, risk_rules=(over,))

    assert judged(run_of(step("a"), autonomy=AUTONOMOUS), "pay", policy=policy, **arguments).ruling is ruling


def test_a_policy_that_is_stricter_by_now_holds_for_calls() -> None:
    run = run_of(step("a"), autonomy=AUTONOMOUS)

    assert judged(run, "high", policy=Policy(autonomy=SUPERVISED)).ruling is Ruling.STEP
