"""The answers to what an agent has called: the one border that results and errors of tools cross on their way to it."""

from dataclasses import dataclass, field

from pydantic import ValidationError

from maos.actions import JsonObject
from maos.agent_journal import ToolCall
from maos.agent_policy import Ruling, within_means
from maos.agent_tools import (
    OWN_TOOLS,
    Delegate,
    EditFile,
    ListFiles,
    ProposeSteps,
    ReadFile,
    Recall,
    Remember,
    UpdateTodos,
    WriteFile,
)
from maos.approvals import Approval, Decision
from maos.canonical import canonical_json
from maos.errors import BadInput, PlanRefused
from maos.frontier import has_failed
from maos.plan_check import extended_plan
from sql import approvals, invocations
from sql.invocations import StepStates
from sql.session import org_session
from tasks.agent_desk import Desk
from tasks.agent_tools import memory
from tasks.agent_tools.results import ToolResult, failed, misfit, outcome_in_words
from tasks.agent_tools.services import carry_out, why_not_called
from tasks.ledger import outputs_of
from tasks.outages import outlasting


@dataclass
class Answers:
    """What the calls of one turn came to."""

    blocks: list[JsonObject] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    proposed: list[JsonObject] = field(default_factory=list)


@outlasting
def states_of_calls(desk: Desk) -> StepStates:
    """Return where the steps of the run stand, those among them that the agent has called."""
    with org_session(desk.run.org_id) as session:
        return invocations.step_states(desk.run.id, desk.run.attempt, session=session)


def still_waits(desk: Desk, states: StepStates) -> bool:
    """Say whether a step that the agent has called is not settled yet."""
    steps = {step.id: step for step in desk.run.plan.steps}
    return any(
        name in steps
        and name not in states.finished.keys() | states.skipped.keys()
        and not (name in states.failed and has_failed(steps[name], states.failed[name]))
        for name in desk.standing.waits_for.values()
    )


def answers_to(desk: Desk, states: StepStates) -> Answers:
    """Carry out what can be carried out at once, and return the answer to every call of the active agent."""
    answers = Answers()
    for call in desk.frame.calls:
        answers.blocks.append(_answer(desk, call, states, answers).block(call))
    return answers


def _answer(desk: Desk, call: ToolCall, states: StepStates, answers: Answers) -> ToolResult:
    if call.id in desk.frame.answers:
        return ToolResult(desk.frame.answers[call.id])
    if call.id in desk.standing.waits_for:
        return _of_step(desk, call, states, answers)
    if call.name in OWN_TOOLS:
        return _of_own_tool(desk, call, answers)
    judgement = desk.judged(call.name, call.arguments)
    if judgement.ruling is Ruling.REFUSE:
        return ToolResult(judgement.reason, is_error=True)
    return carry_out(desk, call) if judgement.ruling is Ruling.RUN else why_not_called(desk, call)


def _of_step(desk: Desk, call: ToolCall, states: StepStates, answers: Answers) -> ToolResult:
    step_id = desk.standing.waits_for[call.id]
    if step_id in states.finished:
        output = outputs_of(desk.run, [step_id])[step_id]
        return outcome_in_words(output, f"Carried out as step {step_id}{_as_edited(desk, step_id)}.")
    if reason := states.skipped.get(step_id):
        answers.refused[call.fingerprint] = reason
        return _of_refused(desk, step_id, reason)
    if failure := states.failed.get(step_id):
        return ToolResult(f"It failed: {failure.summary}", is_error=True)
    return ToolResult("It is no longer part of the plan, and was not carried out.", is_error=True)


def _as_edited(desk: Desk, step_id: str) -> str:
    decision = _decision_on(desk, step_id)
    if decision is None or decision.edited is None:
        return ""
    return f", with what a person has made of it: {canonical_json(decision.edited)}"


def _of_refused(desk: Desk, step_id: str, reason: str) -> ToolResult:
    decision = _decision_on(desk, step_id)
    if decision and decision.decision is Decision.RESPOND:
        return ToolResult(f"It was not carried out; a person answers instead: {decision.note}")
    if decision and decision.decision is Decision.REQUEST_CHANGES:
        words = f"It was not carried out; a person asks for changes, after which you may call it again: {decision.note}"
        return ToolResult(words, is_error=True)
    return ToolResult(f"It was not carried out: {reason}", is_error=True)


@outlasting
def _decision_on(desk: Desk, step_id: str) -> Approval | None:
    with org_session(desk.run.org_id) as session:
        return approvals.newest_approval(desk.run.id, step_id, session=session)


def _of_own_tool(desk: Desk, call: ToolCall, answers: Answers) -> ToolResult:
    try:
        asked = OWN_TOOLS[call.name].model_validate(call.arguments)
    except ValidationError as error:
        return misfit(error)
    try:
        return ToolResult(_done(desk, asked, answers))
    except (BadInput, PlanRefused, OSError) as error:
        return failed(error)


def _done(desk: Desk, asked: object, answers: Answers) -> str:
    match asked:
        case UpdateTodos():
            return "noted"
        case ListFiles():
            return "\n".join(desk.scratch.names()) or "no files"
        case ReadFile():
            return desk.scratch.read(asked.path)
        case WriteFile():
            desk.scratch.write(asked.path, asked.content)
        case EditFile():
            desk.scratch.edit(asked.path, asked.old, asked.new)
        case Remember():
            memory.remember(desk.run, asked.key, asked.value, written_by=desk.frame.member.name)
        case Recall():
            return memory.recall(desk.run, asked.key)
        case ProposeSteps():
            return _propose(desk, asked, answers)
        case Delegate():
            # One that can be handed over is answered by the other agent.
            raise BadInput("agent", asked.agent, desk.standing.team.refusal(desk.frame.path, asked.agent) or "")
    return "done"


def _propose(desk: Desk, asked: ProposeSteps, answers: Answers) -> str:
    steps = within_means(asked.steps, desk.frame.member)
    taken = [*desk.standing.proposed, *answers.proposed]
    extended_plan(desk.run.plan, [*taken, *steps], desk.actions, desk.rules)
    answers.proposed += steps
    return f"{len(steps)} steps are taken; they run after your own step"
