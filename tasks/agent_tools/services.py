"""Actions of services as an agent's tools: carried out at once, or made a step of the plan."""

from collections.abc import Iterable
from dataclasses import replace

from pydantic import ValidationError

from maos.actions import JsonObject
from maos.agent_journal import ToolCall
from maos.agent_policy import Ruling
from maos.agent_team import Member
from maos.agent_tools import OWN_TOOLS, arguments_of
from maos.canonical import digest_of
from maos.engines import EngineType
from maos.errors import BadInput, MaosError, PlanRefused
from maos.plan_check import check_plan
from maos.plans import Agent, CalledBy, OnFailure, OnReject, PlanStep
from maos.references import source_of
from maos.rules_check import step_faults
from tasks.agent_desk import Desk
from tasks.agent_tools.results import ToolResult, failed, misfit, outcome_in_words
from tasks.apart import tried_apart
from tasks.internal_service import call_of
from tasks.payloads import Payload
from tasks.services.registry import SERVICES

_GRACE_SECONDS = 2.0
_LONGEST_STEM = 44


def called_steps(desk: Desk, turn: int) -> dict[str, PlanStep]:
    """Return the steps that the calls of the active agent become, by the call's id; what cannot be is left out."""
    plan, steps = desk.run.plan, dict[str, PlanStep]()
    for number, call in enumerate(desk.frame.calls, start=1):
        if call.name in OWN_TOOLS or call.fingerprint in desk.standing.refused:
            continue
        if desk.judged(call.name, call.arguments).ruling is not Ruling.STEP:
            continue
        try:
            step = called_step(desk, call, step_id=_id_of(desk.payload.step.id, turn, number), turn=turn)
            extended = plan.extended([step])
            check_plan(extended, desk.actions, desk.rules)
        except (MaosError, ValidationError):
            # It is answered with what is wrong.
            continue
        plan, steps[call.id] = extended, step
    return steps


def called_step(desk: Desk, call: ToolCall, *, step_id: str, turn: int) -> PlanStep:
    """Return a call as a step of the plan.

    Raises:
        BadInput: when an input names nothing that the agent may read, or a text cannot be stored.
        ValidationError: when the arguments have not the form of the tool.
    """
    given = arguments_of(desk.actions[call.name], call.arguments)
    lead = desk.payload.step
    return PlanStep(
        id=step_id,
        agent=Agent(name=desk.frame.member.name),
        engine=EngineType.INTERNAL_SERVICE,
        action=call.name,
        parameters=given.parameters,
        inputs={name: _reference(desk, reference) for name, reference in given.inputs.items()},
        phase=lead.phase,
        # Neither ends the run: the agent is told, and decides what to make of it.
        on_failure=OnFailure.SKIP,
        on_reject=OnReject.SKIP,
        autonomy=desk.frame.member.autonomy,
        called_by=CalledBy(step=lead.id, turn=turn),
    )


def why_not_called(desk: Desk, call: ToolCall) -> ToolResult:
    """Return what stands against a call that was to become a step and did not."""
    if reason := desk.standing.refused.get(call.fingerprint):
        return ToolResult(f"It was refused before, and nobody is asked again: {reason}", is_error=True)
    try:
        step = called_step(desk, call, step_id=_id_of(desk.payload.step.id, 0, 1), turn=1)
        check_plan(desk.run.plan.extended([step]), desk.actions, desk.rules)
    except (BadInput, PlanRefused) as error:
        return failed(error)
    except ValidationError as error:
        return misfit(error)
    return ToolResult("It was not made a step of the plan. Propose it again if it is still needed.", is_error=True)


def carry_out(desk: Desk, call: ToolCall) -> ToolResult:
    """Carry a call out at once, in a process of its own; nothing that it does reaches outside the step's folder."""
    service = SERVICES[call.name]
    try:
        parameters = service.spec.parameters.model_validate(call.arguments).model_dump(mode="json")
    except ValidationError as error:
        return misfit(error)
    if faults := step_faults(desk.rules, service.spec, parameters):
        return ToolResult(f"The rules of the house refuse it: {'; '.join(faults)}", is_error=True)
    folder = desk.folder / "calls"
    folder.mkdir(parents=True, exist_ok=True)
    asked = replace(call_of(_payload(desk, desk.frame.member, call, parameters), service), folder=folder)
    seconds = max(0.0, min(asked.timeout_seconds, desk.seconds_left)) + _GRACE_SECONDS
    outcome = tried_apart(lambda: service.run(asked), timeout_seconds=seconds)
    if isinstance(outcome, Exception):
        return failed(outcome)
    return outcome_in_words(outcome.output, outcome.summary)


def _payload(desk: Desk, caller: Member, call: ToolCall, parameters: JsonObject) -> Payload:
    step = PlanStep(
        id=_id_of(desk.payload.step.id, 0, 1),
        agent=Agent(name=caller.name),
        engine=EngineType.INTERNAL_SERVICE,
        action=call.name,
        parameters=parameters,
    )
    spec, own = SERVICES[call.name].spec, desk.payload
    return Payload(desk.run, step, spec, parameters, {}, {}, own.book, own.policies)


def _reference(desk: Desk, given: str) -> str:
    """Return what an agent refers to as the plan does: an input of its step by its name, or a step it has called."""
    source = source_of(given)
    if source in desk.payload.step.inputs:
        return desk.payload.step.inputs[source] + given[len(source) :]
    if source in desk.standing.called:
        return given
    known = ", ".join(_readable(desk)) or "none"
    raise BadInput("inputs", given, f"an input of yours or a step that you have called: {known}")


def _readable(desk: Desk) -> Iterable[str]:
    return [*sorted(desk.payload.step.inputs), *sorted(desk.standing.called)]


def _id_of(step_id: str, turn: int, number: int) -> str:
    """Return the id of a step that is called: short enough whatever its caller is called."""
    stem = step_id if len(step_id) <= _LONGEST_STEM else f"{step_id[: _LONGEST_STEM - 9]}_{digest_of(step_id)[:8]}"
    return f"{stem}_call{turn}_{number}"
