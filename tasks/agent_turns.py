"""One turn of an agent: what is to be said is answered first, then the engine is called once."""

from dataclasses import dataclass
from time import monotonic

from prefect import get_run_logger

from blocks.claude_agent import AgentReply, ask_agent, request_bytes
from maos.actions import JsonObject
from maos.agent_answer import answer_faults
from maos.agent_journal import Message, ToolCall, Turn
from maos.agent_limits import check_money, check_time, reply_tokens
from maos.agent_prompt import system_of, tools_of
from maos.engines import EngineType
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.pricing import most_prompt_tokens
from maos.rules_check import text_faults
from maos.usage import Receipt
from tasks.agent_desk import Desk
from tasks.agent_journal import write_turn
from tasks.agent_outcome import outcome_of
from tasks.agent_tools.answers import Answers, answers_to, states_of_calls, still_waits
from tasks.agent_tools.services import called_steps
from tasks.attempts import Attempt, Progress
from tasks.engines import writer_engine
from tasks.slots import engine_slot
from tasks.steps import task_run_id
from tasks.tariffs import tariff_of
from tasks.writer import FAILED_STOPS, usage_of

_DELIVERED = frozenset({"end_turn", "stop_sequence", "tool_use"})


def take_turn(desk: Desk) -> bool:
    """Take an agent's step one turn further; return whether it goes on at once.

    Raises:
        LimitReached: when the step may not go on.
        EngineFailure: when the engine did not deliver.
    """
    begun = monotonic()
    if circle := desk.standing.circle:
        raise circle
    states = states_of_calls(desk)
    if still_waits(desk, states):
        return False
    longest = reply_tokens(desk.parameters.limits, desk.used)
    answers = answers_to(desk, states)
    message = Message(role="user", content=tuple(answers.blocks) or ({"type": "text", "text": desk.frame.prompt},))
    return _speak(desk, _Saying(message, answers, longest, begun))


@dataclass(frozen=True)
class _Saying:
    """What is about to be said, and since when it was prepared."""

    message: Message
    answers: Answers
    longest_reply: int
    begun: float


def _speak(desk: Desk, saying: _Saying) -> bool:
    frame, limits = desk.frame, desk.parameters.limits
    system = system_of(frame.member, desk.payload.book.prose)
    tools: list[JsonObject] = [tool.model_dump(mode="json") for tool in tools_of(frame.member, desk.actions)]
    messages: list[JsonObject] = [each.model_dump(mode="json") for each in (*frame.messages, saying.message)]
    # What was called just now may have taken all the time there was.
    worked = desk.used.seconds + monotonic() - saying.begun
    check_time(limits, worked)
    left = max(1.0, limits.wall_seconds - worked)
    engine = writer_engine().within(min(desk.payload.timeout_seconds, left))
    with engine_slot(desk.run, EngineType.DEEP_AGENT):
        tariff = tariff_of(desk.run.org_id)
        sent = request_bytes(system, tools, messages)
        ceiling = tariff.ceiling_of(sent_bytes=sent, max_output_tokens=saying.longest_reply, model=engine.model_id)
        check_money(limits, desk.used, ceiling)
        with Attempt(
            desk.payload,
            ceiling_usd=ceiling,
            ceiling_tokens=most_prompt_tokens(sent) + saying.longest_reply,
            tariff=tariff,
            task_run_id=task_run_id(),
            agent=frame.member.name,
        ) as attempt:
            reply = ask_agent(engine, system=system, tools=tools, messages=messages, max_tokens=saying.longest_reply)
            attempt.spend(_receipt(reply))
            return _end(desk, attempt, _turn(desk, saying, reply, attempt.number))


def _end(desk: Desk, attempt: Attempt, turn: Turn) -> bool:
    """Write down what was said: the step is done, or goes on with what was called."""
    standing = desk.standing
    standing.take(turn)
    if standing.done:
        if faults := (*turn.faults, *turn.misfits):
            raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "\n".join(faults))
        outcome = outcome_of(desk, write_turn(desk.payload, turn))
        attempt.complete(outcome)
        return False
    calls = {} if standing.circle else called_steps(desk, attempt.number)
    told = turn.model_copy(update={"called": {call: step.id for call, step in calls.items()}})
    file = write_turn(desk.payload, told)
    words = _in_words(turn)
    attempt.rest(Progress(summary=words, artifacts=(file,), calls=tuple(calls.values())))
    get_run_logger().info("%s of step %s: %s", turn.agent, desk.payload.step.id, words)
    return not calls


def _turn(desk: Desk, saying: _Saying, reply: AgentReply, number: int) -> Turn:
    said = tuple(_storable(block) for block in reply.said)
    turn = Turn(
        number=number,
        frame=desk.frame.id,
        agent=desk.frame.member.name,
        sent=(saying.message,),
        said=said,
        seconds=monotonic() - saying.begun,
        refused=saying.answers.refused,
        proposed=tuple(saying.answers.proposed),
    )
    _check(turn, reply)
    if turn.calls:
        return turn
    return turn.model_copy(update={"faults": _faults(desk, turn), "misfits": _misfits(desk, turn)})


def _faults(desk: Desk, answered: Turn) -> tuple[str, ...]:
    return tuple(text_faults(desk.rules, {"answer": answered.text}))


def _misfits(desk: Desk, answered: Turn) -> tuple[str, ...]:
    schema = desk.parameters.output_schema
    if schema is None or desk.frame.parent:
        # What an agent answers to another is between the two.
        return ()
    return tuple(answer_faults(schema, answered.text, desk.payload.inputs))


def _check(turn: Turn, reply: AgentReply) -> None:
    stop = reply.stop_reason
    if stop not in _DELIVERED:
        category = f" ({reply.refused_for})" if reply.refused_for else ""
        raise EngineFailure(FAILED_STOPS.get(stop, FailureKind.UNUSABLE_OUTPUT), f"the agent stopped: {stop}{category}")
    ids = [call.id for call in turn.calls]
    if bool(ids) is not (stop == "tool_use") or len(ids) > len(set(ids)) or not (ids or turn.text):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"{len(ids)} calls and {len(turn.text)} characters at {stop}")


def _receipt(reply: AgentReply) -> Receipt:
    return Receipt(
        model=reply.model,
        request_id=reply.request_id,
        usage=usage_of(reply.raw_usage),
        raw_usage=reply.raw_usage,
        final=True,
    )


# object: a block is JSON all the way down.
def _storable(value: JsonObject) -> JsonObject:
    """Return a block without what neither PostgreSQL nor UTF-8 can hold."""
    return {key: _clean(item) for key, item in value.items()}


def _clean(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return {str(_clean(key)): _clean(item) for key, item in value.items()} if isinstance(value, dict) else value


def _in_words(turn: Turn) -> str:
    def count(call: ToolCall) -> int:
        return sum(each.name == call.name for each in turn.calls)

    names = sorted({f"{call.name} ({count(call)} times)" if count(call) > 1 else call.name for call in turn.calls})
    return f"Called {', '.join(names)}." if names else "Answered."
