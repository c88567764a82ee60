from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict

from maos.actions import ActionSpec
from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.plan_check import check_plan, extended_plan
from maos.plans import MAX_STEPS, Mode, Plan, PlanStep, arranged
from maos.rendering import TemplateText
from maos.risk import RiskLevel
from maos.rules import Rules


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: int = 1
    text: TemplateText = ""


class Place(BaseModel):
    city: str


class Counted(BaseModel):
    rows: int
    place: Place
    places: list[Place] = []


def _spec(name: str, **fields: Any) -> ActionSpec:
    return ActionSpec(
        name=name,
        engine=EngineType.INTERNAL_SERVICE,
        risk=RiskLevel.LOW,
        title="Count.",
        parameters=Parameters,
        **fields,
    )


ACTIONS = {
    spec.name: spec
    for spec in (
        _spec("count", output=Counted),
        _spec("join", inputs={"left": int}),
        _spec("lenient", inputs={"left": int | None}),
        _spec("open", open_inputs=True),
    )
}


def _step(name: str, action: str = "count", **fields: object) -> PlanStep:
    return PlanStep.model_validate(
        {"id": name, "agent": "clerk", "engine": "internal_service", "action": action, **fields}
    )


def _faults(*steps: PlanStep) -> list[str]:
    with pytest.raises(PlanRefused) as refused:
        check_plan(Plan(steps=steps), ACTIONS, Rules())
    return list(refused.value.faults)


def test_a_sound_plan_passes() -> None:
    steps = (
        _step("c", "open", inputs={"any": "b", "city": "a.place.city"}, parameters={"text": "{{ city }}: {{ any }}"}),
        _step("a"),
        _step("b", "join", inputs={"left": "a.rows"}),
    )

    check_plan(Plan(steps=steps), ACTIONS, Rules())


def test_every_fault_is_named_at_once() -> None:
    faults = _faults(
        _step("a", "steal"),
        _step("b", parameters={"amount": "many"}),
        _step("b", parameters={"colour": "red", "text": "{{ who }}{{"}),
        _step("c", "open", inputs={"x": "nowhere"}),
        _step("d", "join", after=["e"]),
        _step("e", "join", inputs={"left": "f.rows.high", "right": "d"}, engine="claude_cli"),
        _step("f", on_failure="continue"),
        _step("g", "open", inputs={"x": "f.size", "y": "f.place.street"}, parameters={"text": "{{ x }}{{ z }}"}),
    )

    assert faults == [
        "step 'b' stands 2 times",
        "step 'c' depends on 'nowhere', which the plan does not have",
        "the steps depend on each other in a circle: d -> e -> d",
        "step 'a': unknown action 'steal'; allowed: count, join, lenient, open",
        "step 'b': parameter amount: Input should be a valid integer, unable to parse string as an integer",
        "step 'b': parameter text: line 1: unexpected 'end of template'",
        "step 'b': parameter colour: Extra inputs are not permitted",
        "step 'd': inputs missing: left",
        "step 'e': action 'join' runs on internal_service, not on claude_cli",
        "step 'e': unknown inputs: right; inputs: left",
        "step 'g': parameter text: the name 'z' is not an input; inputs: x, y",
        "step 'e': input left may be null, because 'f' continues on failure; action 'join' needs it",
        "step 'g': input x: the outcome of 'f' has no 'size'",
        "step 'g': input y: the outcome of 'f' has no 'street'",
    ]


def test_a_circle_is_printed() -> None:
    faults = _faults(_step("a", after=["c"]), _step("b", after=["a"]), _step("c", after=["b"]))

    assert faults == ["the steps depend on each other in a circle: a -> b -> c -> a"]


def test_a_step_that_waits_for_itself_is_a_circle() -> None:
    assert _faults(_step("a", after=["a"])) == ["the steps depend on each other in a circle: a -> a"]


def test_a_sequence_whose_first_step_reads_a_later_one_is_a_circle() -> None:
    steps = arranged([_step("a", "open", inputs={"x": "b"}), _step("b")], Mode.SEQUENTIAL)

    assert _faults(*steps) == ["the steps depend on each other in a circle: a -> b -> a"]


def test_too_many_steps_are_refused() -> None:
    assert _faults(*(_step(f"s{n}") for n in range(MAX_STEPS + 1))) == ["101 steps; at most 100 are allowed"]


def test_an_action_with_open_inputs_still_has_its_own() -> None:
    spec = ACTIONS["open"].model_copy(update={"inputs": {"left": int}})

    with pytest.raises(PlanRefused, match="inputs missing: left"):
        check_plan(Plan(steps=(_step("a", "open"),)), {"open": spec}, Rules())


@pytest.mark.parametrize(
    ("action", "inputs"),
    [("join", {"left": "a.rows"}), ("join", {"left": "a"})],
)
def test_what_must_not_be_null_does_not_read_a_step_that_continues_on_failure(
    action: str, inputs: dict[str, str]
) -> None:
    faults = _faults(_step("a", on_failure="continue"), _step("b", action, inputs=inputs))

    assert faults == ["step 'b': input left may be null, because 'a' continues on failure; action 'join' needs it"]


@pytest.mark.parametrize("kind", [int | None, None, Any, Annotated[int | None, "of rows"]])
def test_what_takes_null_may_read_a_step_that_continues_on_failure(kind: Any) -> None:
    actions = ACTIONS | {"lenient": _spec("lenient", inputs={"left": kind})}
    steps = (_step("a", on_failure="continue"), _step("b", "lenient", inputs={"left": "a.rows"}))

    check_plan(Plan(steps=steps), actions, Rules())


def test_who_only_waits_for_a_step_that_continues_on_failure_reads_no_null() -> None:
    steps = (
        _step("a", on_failure="continue"),
        _step("b"),
        _step("c", "join", inputs={"left": "b.rows"}, after=["a"]),
    )

    check_plan(Plan(steps=steps), ACTIONS, Rules())


@pytest.mark.parametrize(
    ("reference", "part"),
    [("a.size", "size"), ("a.place.street", "street"), ("a.0", "0"), ("a.place.0", "0")],
)
def test_a_reference_to_what_an_outcome_never_has_is_refused(reference: str, part: str) -> None:
    assert _faults(_step("a"), _step("b", "open", inputs={"x": reference})) == [
        f"step 'b': input x: the outcome of 'a' has no {part!r}"
    ]


@pytest.mark.parametrize("reference", ["a.places.0.city", "a.places.9", "b.anything.at.all"])
def test_a_reference_of_which_nothing_is_known_before_the_run_passes(reference: str) -> None:
    check_plan(
        Plan(steps=(_step("a"), _step("b", "open"), _step("c", "open", inputs={"x": reference}))), ACTIONS, Rules()
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ y }}", "the name 'y' is not an input; inputs: x"),
        ("{{ x.__class__() }}", "line 1: Call is not allowed"),
        ("\n{% include 'x' %}", "line 2: Include is not allowed"),
    ],
)
def test_a_template_is_checked_before_the_run(text: str, fault: str) -> None:
    steps = (_step("a"), _step("b", "open", inputs={"x": "a"}, parameters={"text": text}))

    assert _faults(*steps) == [f"step 'b': parameter text: {fault}"]


# Steps that outcomes propose

BASE = Plan(steps=(_step("a"), _step("b", "join", inputs={"left": "a.rows"})))


def _fields(name: str, **fields: object) -> dict[str, Any]:
    return {"id": name, "agent": "clerk", "engine": "internal_service", "action": "count"} | fields


def test_proposed_steps_become_the_next_revision() -> None:
    plan = extended_plan(BASE, [_fields("c", after=["b"]), _fields("d", after=["c"])], ACTIONS, Rules())

    assert [step.id for step in plan.steps] == ["a", "b", "c", "d"]
    assert plan.revision == 2


def test_every_fault_of_form_of_the_proposed_steps_is_named_at_once() -> None:
    with pytest.raises(PlanRefused) as refused:
        extended_plan(BASE, [_fields("C"), _fields("d", engine="gpt", cost=3), {}], ACTIONS, Rules())

    assert [fault.split(":")[:2] for fault in refused.value.faults] == [
        ["proposed step 1", " id"],
        ["proposed step 2", " engine"],
        ["proposed step 2", " cost"],
        ["proposed step 3", " id"],
        ["proposed step 3", " agent"],
        ["proposed step 3", " engine"],
        ["proposed step 3", " action"],
    ]


@pytest.mark.parametrize(
    ("proposed", "fault"),
    [
        ([_fields("a")], "step 'a' stands 2 times"),
        ([_fields("c", action="steal")], "step 'c': unknown action 'steal'"),
        ([_fields("c", after=["d"]), _fields("d", after=["c"])], "in a circle: c -> d -> c"),
        ([_fields(f"s{number}") for number in range(99)], "101 steps; at most 100 are allowed"),
    ],
)
def test_proposed_steps_pass_the_checks_of_the_first_ones(proposed: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        extended_plan(BASE, proposed, ACTIONS, Rules())

    assert fault in str(refused.value)
