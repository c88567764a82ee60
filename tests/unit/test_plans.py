import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from maos.actions import ActionSpec
from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.plans import MAX_STEPS, Plan, PlanStep, check_plan, ready_steps
from maos.risk import RiskLevel


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: int = 1


def _spec(name: str, *, inputs: frozenset[str] = frozenset()) -> ActionSpec:
    return ActionSpec(
        name=name,
        engine=EngineType.INTERNAL_SERVICE,
        risk=RiskLevel.LOW,
        title="Count.",
        parameters=_Parameters,
        inputs=inputs,
    )


ACTIONS = {"count": _spec("count"), "join": _spec("join", inputs=frozenset({"left"}))}


def _step(name: str, **fields: object) -> PlanStep:
    return PlanStep.model_validate(
        {"id": name, "agent": "clerk", "engine": "internal_service", "action": "count", **fields}
    )


def _faults(*steps: PlanStep) -> str:
    with pytest.raises(PlanRefused) as refused:
        check_plan(Plan(steps=steps), ACTIONS)
    return str(refused.value)


def test_a_sound_plan_passes() -> None:
    check_plan(Plan(steps=(_step("a"), _step("b", action="join", inputs={"left": "a"}))), ACTIONS)


def test_every_fault_is_named_at_once() -> None:
    faults = _faults(
        _step("a", action="steal"),
        _step("b", parameters={"amount": "many"}),
        _step("b", parameters={"colour": "red"}),
        _step("c", inputs={"x": "nowhere"}),
        _step("d", action="join"),
    )

    assert "step 'a': unknown action 'steal'; allowed: count, join" in faults
    assert "step 'b': parameter amount: Input should be a valid integer" in faults
    assert "step 'b': parameter colour: Extra inputs are not permitted" in faults
    assert "step 'b' stands 2 times" in faults
    assert "step 'c' depends on 'nowhere', which the plan does not have" in faults
    assert "step 'd': inputs missing: left" in faults


def test_a_circle_is_printed() -> None:
    faults = _faults(_step("a", after=["c"]), _step("b", after=["a"]), _step("c", after=["b"]))

    assert "in a circle: " in faults
    assert {"a", "b", "c"} <= set(faults.split("in a circle: ")[1].split(" -> "))


def test_an_action_of_another_engine_is_refused() -> None:
    assert "runs on internal_service, not on claude_cli" in _faults(_step("a", engine="claude_cli"))


def test_too_many_steps_are_refused() -> None:
    assert "101 steps; at most 100 are allowed" in _faults(*(_step(f"s{n}") for n in range(MAX_STEPS + 1)))


def test_an_unapproved_engine_is_no_engine() -> None:
    with pytest.raises(ValidationError, match="'claude_cli', 'deep_agent', 'gemini_image' or 'internal_service'"):
        _step("a", engine="gpt")


def test_a_step_is_ready_when_all_it_needs_is_completed() -> None:
    plan = Plan(steps=(_step("a"), _step("b"), _step("c", inputs={"left": "a"}, after=["b"])))

    assert [step.id for step in ready_steps(plan, completed=set())] == ["a", "b"]
    assert [step.id for step in ready_steps(plan, completed={"a"})] == ["b"]
    assert [step.id for step in ready_steps(plan, completed={"a", "b"})] == ["c"]


def test_a_plan_keeps_its_digest_through_json() -> None:
    plan = Plan(steps=(_step("a"), _step("b", inputs={"left": "a"})))

    assert Plan.model_validate_json(plan.model_dump_json()).digest == plan.digest
