"""An agent's step without its engine: what it would have to work with, and what its free tools really say."""

from pydantic import ValidationError

from maos.actions import ActionSpec, JsonObject, StepOutcome
from maos.agent_journal import Message, ToolCall, Turn
from maos.agent_policy import Ruling
from maos.investigation import Investigation, Todo, TodoState
from maos.rehearsed_json import rehearsed_value
from tasks.agent_desk import Desk
from tasks.agent_journal import write_turn
from tasks.agent_tools.services import carry_out
from tasks.attempts import Attempt
from tasks.steps import task_run_id

_SUMMARY = "Rehearsal: derived by rule, no engine was called."


def rehearse(desk: Desk) -> None:
    """Derive an answer by rule; calls that could cost, ask or reach outside are named and not made."""
    with Attempt(desk.payload, task_run_id=task_run_id()) as attempt:
        called = {name: _result(desk, name) for name in desk.parameters.tools if _is_free(desk, name)}
        answer = _answer(desk, called)
        todos = (
            Todo(text="Read the goal and the inputs", state=TodoState.DONE),
            *(Todo(text=f"Call {name}", state=_state(name, called)) for name in desk.parameters.tools),
            Todo(text="Answer", state=TodoState.DONE),
        )
        value = _value(desk)
        found = Investigation(answer=answer, value=value, todos=todos, files=(), turns=0, rehearsed=True)
        file = write_turn(desk.payload, _turn(desk, answer, attempt.number))
        outcome = StepOutcome(output=found.model_dump(mode="json"), summary=_SUMMARY, artifacts=(file,))
        attempt.complete(outcome)


def _is_free(desk: Desk, name: str) -> bool:
    """Say whether a tool runs unasked and without effect, and needs nothing that only the engine could make up."""
    runs = desk.judged(name, {}).ruling is Ruling.RUN
    return runs and _needs_nothing(desk.actions[name])


def _needs_nothing(spec: ActionSpec) -> bool:
    try:
        spec.parameters.model_validate({})
    except ValidationError:
        return False
    return True


def _result(desk: Desk, name: str) -> str:
    return carry_out(desk, ToolCall(id=name, name=name, arguments={})).text


def _state(name: str, called: dict[str, str]) -> TodoState:
    return TodoState.DONE if name in called else TodoState.DROPPED


def _answer(desk: Desk, called: dict[str, str]) -> str:
    lines = [
        "REHEARSAL: no engine was called; this answer is derived by rule.",
        f"Goal: {desk.parameters.goal}",
        f"Read: {', '.join(sorted(desk.payload.inputs)) or 'nothing'}",
        *(f"{name} says: {text}" for name, text in called.items()),
        *(f"{name} was not called." for name in desk.parameters.tools if name not in called),
        *(f"{agent.name} was handed no task." for agent in desk.parameters.sub_agents),
    ]
    return "\n".join(lines)


def _value(desk: Desk) -> JsonObject | None:
    """Return what stands in the place of an answer in a form, where one is asked for."""
    schema = desk.parameters.output_schema
    return rehearsed_value(schema, desk.payload.inputs) if schema else None


def _turn(desk: Desk, answer: str, number: int) -> Turn:
    goal: dict[str, object] = {"type": "text", "text": desk.frame.prompt}
    return Turn(
        number=number,
        agent=desk.frame.member.name,
        sent=(Message(role="user", content=(goal,)),),
        said=({"type": "text", "text": answer},),
        seconds=0.0,
    )
