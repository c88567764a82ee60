"""Where an agent's step stands after its turns: a fold that any process comes to the same end with."""

from random import Random
from typing import Any

import pytest

from maos.agent_journal import MISFIT, NO_LIST, OPEN_POINTS, Message, Standing, Turn, standing_of
from maos.agent_limits import MOST_IDENTICAL_CALLS
from maos.agent_team import Team
from maos.engines import EngineType
from maos.investigation import InvestigationParameters
from maos.plans import PlanStep

STEP = PlanStep(id="research", agent="Ada", engine=EngineType.DEEP_AGENT, action="investigate")
LIST = ("update_todos", {"todos": [{"text": "All", "state": "done"}]})
OPEN = ("update_todos", {"todos": [{"text": "All"}]})


def _team(*names: str) -> Team:
    subs = [{"name": name, "goal": name, "sub_agents": list(names)} for name in names]
    return Team(STEP, InvestigationParameters.model_validate({"goal": "g", "sub_agents": subs}))


def _turn(number: int, *calls: tuple[str, dict[str, Any]], frame: str = "", text: str = "", **fields: Any) -> Turn:
    said: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    said += [
        {"type": "tool_use", "id": f"t{number}_{place}", "name": name, "input": arguments}
        for place, (name, arguments) in enumerate(calls)
    ]
    message = Message(role="user", content=({"type": "text", "text": f"to turn {number}"},))
    return Turn(number=number, frame=frame, agent="any", sent=(message,), said=tuple(said), seconds=1.0, **fields)


def _after(*turns: Turn, team: Team | None = None) -> Standing:
    return standing_of(turns, team or _team(), "goal")


def test_it_begins_with_the_goal() -> None:
    standing = _after()

    assert standing.active is standing.lead
    assert standing.lead.prompt == "goal"
    assert not standing.done


def test_what_was_called_waits_for_an_answer() -> None:
    standing = _after(_turn(1, LIST, ("note", {"text": "x"})))

    assert [call.name for call in standing.active.calls] == ["update_todos", "note"]
    assert standing.active.prompt is None
    assert [message.role for message in standing.active.messages] == ["user", "assistant"]


def test_an_answer_counts_once_there_is_a_list_and_nothing_open() -> None:
    standing = _after(_turn(1, LIST), _turn(2, text="So it is."))

    assert standing.done
    assert standing.lead.answer == "So it is."


@pytest.mark.parametrize(("before", "reminder"), [((), NO_LIST), ((OPEN,), OPEN_POINTS)])
def test_the_list_is_reminded_of_once(before: tuple[tuple[str, dict[str, Any]], ...], reminder: str) -> None:
    begun = [_turn(1, *before)] if before else []

    once = _after(*begun, _turn(2, text="a"))
    twice = _after(*begun, _turn(2, text="a"), _turn(3, text="b"))

    assert (once.done, once.lead.prompt) == (False, reminder)
    assert twice.lead.answer == "b"


def test_an_answer_without_its_form_is_corrected_once_whether_or_not_the_list_was_reminded_of() -> None:
    wrong = {"misfits": ("the answer is no JSON object",)}
    listed = _turn(1, LIST)

    told = _after(listed, _turn(2, text="a", **wrong))
    right = _after(listed, _turn(2, text="a", **wrong), _turn(3, text="{}"))
    wrong_again = _after(listed, _turn(2, text="a", **wrong), _turn(3, text="b", **wrong))
    forgetful = _after(
        _turn(1, text="a", **wrong), listed.model_copy(update={"number": 2}), _turn(3, text="b", **wrong)
    )

    assert (told.done, told.lead.prompt) == (False, f"{MISFIT}\nthe answer is no JSON object")
    assert right.lead.answer == "{}"
    # Whoever took the turn looks at its misfits, and fails the step.
    assert wrong_again.done
    assert (forgetful.done, forgetful.lead.prompt) == (False, f"{MISFIT}\nthe answer is no JSON object")


def test_a_list_that_has_no_form_is_none() -> None:
    standing = _after(_turn(1, ("update_todos", {"todos": [{"text": "a", "state": "later"}]})))

    assert standing.lead.todos == ()


def test_a_task_opens_a_conversation_and_its_end_closes_it() -> None:
    team = _team("reader")
    handed = _turn(1, LIST, ("delegate", {"agent": "reader", "task": "Read."}))
    opened = _after(handed, team=team)
    closed = _after(handed, _turn(2, LIST, frame="1.1"), _turn(3, frame="1.1", text="Read it."), team=team)

    assert (opened.active.id, opened.active.path, opened.active.prompt) == ("1.1", ("reader",), "Read.")
    assert closed.active is closed.lead
    assert closed.lead.answers == {"t1_1": "Read it."}
    assert [call.name for call in closed.lead.calls] == ["update_todos", "delegate"]


def test_a_turn_of_another_conversation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"turn 2 is of the frame .9\.9."):
        _after(_turn(1, LIST), _turn(2, frame="9.9", text="x"))


def test_identical_calls_are_counted_whatever_the_order_of_their_arguments() -> None:
    one, other = ("note", {"a": 1, "b": 2.0}), ("note", {"b": 2, "a": 1})
    within = _after(_turn(1, one, other, one))
    beyond = _after(_turn(1, one, other), _turn(2, one), _turn(3, ("note", {"a": 2}), other))

    assert within.circle is None
    assert beyond.circle is not None
    assert beyond.circle.allowed == str(MOST_IDENTICAL_CALLS)


def test_agents_that_each_look_at_the_same_go_in_no_circle() -> None:
    team = _team("a", "b", "c", "d")
    look = ("list_files", {})
    turns = [_turn(1, *(("delegate", {"agent": name, "task": "t"}) for name in "abcd"))]
    for place in range(4):
        turns += [_turn(2 * place + 2, LIST, look, frame=f"{turns[-1].number}.{place}")]
        turns += [_turn(2 * place + 3, frame=turns[-1].frame, text="Done.")]

    assert _after(*turns, team=team).circle is None
    assert _after(_turn(1, look, look, look, look)).circle is not None


def test_a_refused_call_may_be_proposed_once_more() -> None:
    call = ("note", {"text": "x"})
    fingerprint = _after(_turn(1, call)).active.calls[0].fingerprint
    again = _turn(2, call, refused={fingerprint: "no"})

    assert _after(_turn(1, call), again).circle is None
    third = _after(_turn(1, call), again, _turn(3, call, refused={fingerprint: "another reason"}))
    assert third.circle is not None
    assert third.circle.limit == "proposals of a refused call"
    assert third.refused == {fingerprint: "no"}


def test_what_was_done_twice_and_then_refused_may_be_proposed_once_more() -> None:
    call = ("note", {"text": "x"})
    twice = (_turn(1, call), _turn(2, call), _turn(3, call))
    fingerprint = _after(_turn(1, call)).active.calls[0].fingerprint

    assert _after(*twice, _turn(4, LIST, refused={fingerprint: "no"})).circle is None


def test_a_turn_reads_back_from_its_file_as_it_was_written() -> None:
    turn = _turn(7, LIST, ("note", {"text": "é\u2028{{x}}", "n": None}), called={"t7_1": "research_call7_2"})

    assert Turn.model_validate_json(turn.model_dump_json(indent=1)) == turn


@pytest.mark.parametrize("seed", range(40))
def test_wherever_a_process_ends_the_next_one_stands_where_it_stood(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a conversation, not a secret
    team = _team("a", "b", "c")
    grown, turns = standing_of((), team, "goal"), list[Turn]()
    while not grown.done and len(turns) < 40:
        calls = random.choices(
            [LIST, OPEN, ("note", {"n": len(turns)}), *(("delegate", {"agent": name, "task": "t"}) for name in "abcx")],
            k=random.choice([0, 0, 1, 2, 3]),
        )
        turn = _turn(len(turns) + 1, *calls, frame=grown.active.id, text="words")
        turns.append(turn)
        grown.take(turn)

        again = standing_of(turns, team, "goal")

        assert (again.active.id, again.active.path, again.done) == (grown.active.id, grown.active.path, grown.done)
        assert again.active.messages == grown.active.messages
        assert again.active.answers == grown.active.answers
        _check(again)


def _check(standing: Standing) -> None:
    frame = standing.active
    # Somebody is to be told something, or is to be answered.
    assert standing.done or (frame.prompt is None) is bool(frame.calls)
    assert len(frame.path) <= 5
    assert len(set(frame.path)) == len(frame.path)
    roles = [message.role for message in frame.messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2)
