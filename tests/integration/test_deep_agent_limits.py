"""Limits of an agent's step, over the whole tree of its agents; and each way in which the engine does not deliver."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from blocks.claude import ClaudeEngine
from tasks.holds import hold_run
from tasks.ledger import find_run
from tests.agents import DONE, agent_step, agents_server, cost, result, results, speaker, told, turns, why
from tests.gates import REVIEWER, answer_form, cancel_the_run, only_run_id, rows, wait_for, wait_for_form
from tests.messages_request import CountRequest
from tests.messages_server import Behaviour, Ending, MessagesServer
from tests.plans import Bench

NOTE = ("note_low", {"text": "again"})


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    with agents_server(monkeypatch) as running:
        yield running


def _sub(name: str, *tools: str, to: tuple[str, ...] = (), **fields: object) -> dict[str, object]:
    return {"name": name, "goal": f"{name} can do it", "tools": list(tools), "sub_agents": list(to), **fields}


def _delegate(name: str, task: str = "Do it.") -> tuple[str, dict[str, Any]]:
    return ("delegate", {"agent": name, "task": task})


def test_turns_are_counted(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_low", limits={"turns": 2}))
    server.will_call(NOTE)
    server.will_call(DONE)

    assert bench.run().is_failed()

    assert len(server.requests) == 2
    assert why() == "step 'research' failed: the limit of turns is reached (2): 2 are used"
    assert [turn[2:] for turn in turns()] == [("pending", None), ("pending", None), ("failed", "limit_reached")]


def test_tokens_are_counted_and_shorten_the_last_reply(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step(limits={"tokens": 5000}))
    server.will_call(DONE, input_tokens=3000, output_tokens=1000)
    server.will_call(DONE, input_tokens=900, output_tokens=90)

    assert bench.run().is_failed()

    assert [request.body["max_tokens"] for request in server.requests] == [5000, 1000]
    assert why() == "step 'research' failed: the limit of tokens is reached (5000): 4990 are used"


def test_no_call_is_made_that_could_pass_the_limit_of_money(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step(limits={"money_usd": "0.15"}))
    server.will_call(DONE, input_tokens=1000, output_tokens=8000)

    assert bench.run().is_failed()

    assert len(server.requests) == 1
    assert why().startswith("step 'research' failed: the limit of money is reached (0.15 USD): 0.")
    assert cost() <= Decimal("0.15")


def test_time_worked_is_counted(bench: Bench, server: MessagesServer) -> None:
    bench.before = lambda _text: time.sleep(1.5)
    bench.plan(agent_step("research", "note_low", limits={"wall_seconds": 1.2}))
    server.will_call(NOTE)
    server.will_call(DONE)

    assert bench.run().is_failed()

    assert "the limit of wall time is reached (1.2 s)" in why()
    assert len(server.requests) == 1


def test_the_fourth_identical_call_ends_the_step(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_low"))
    for _ in range(4):
        server.will_call(NOTE)

    assert bench.run().is_failed()

    assert bench.effects == ["again"] * 3
    assert "the limit of identical calls is reached (3): 'note_low' was called 4 times" in why()


def test_a_task_is_handed_over_and_its_answer_is_the_result(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", sub_agents=[_sub("reader", "note_low", persona="Reads fast."), _sub("idle")]))
    server.will_call(DONE, _delegate("reader", "Read page 7."), to="You are Ada.")
    server.will_call(DONE, ("note_low", {"text": "read"}), to="You are reader.")
    server.will_say("Page 7 says hello.", to="You are reader.")
    server.will_say("It says hello.", to="You are Ada.")

    assert bench.run().is_completed()

    lead, reader, _, last = server.requests
    assert [speaker(request) for request in server.requests] == ["Ada", "reader", "reader", "Ada"]
    assert "- `reader`: reader can do it" in lead.body["system"][0]["text"]
    assert "Reads fast." in reader.body["system"][0]["text"]
    assert (told(reader), len(reader.body["messages"])) == ("Read page 7.", 1)
    assert "note_low" not in {tool["name"] for tool in lead.body["tools"]}
    assert results(last) == [("noted", False), ("Page 7 says hello.", False)]
    assert bench.effects == ["read"]
    assert [turn[1] for turn in turns()] == ["Ada", "reader", "reader", "Ada"]


def test_several_tasks_of_one_turn_are_done_one_after_the_other(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", sub_agents=[_sub("one"), _sub("two")]))
    server.will_call(_delegate("two", "B."), DONE, _delegate("one", "A."), to="You are Ada.")
    for name in ("two", "one"):
        server.will_call(DONE, to=f"You are {name}.")
        server.will_say(f"Answer of {name}.", to=f"You are {name}.")
    server.will_say("Both.", to="You are Ada.")

    assert bench.run().is_completed()

    assert [speaker(request) for request in server.requests] == ["Ada", "two", "two", "one", "one", "Ada"]
    assert [text for text, _ in results(server.requests[-1])] == ["Answer of two.", "noted", "Answer of one."]


def test_nobody_who_is_at_work_is_handed_a_task_and_five_deep_is_the_end(bench: Bench, server: MessagesServer) -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    subs = [_sub(name, to=(*names[at + 1 :][:1], *names[:1][: int(at > 0)])) for at, name in enumerate(names)]
    bench.plan(agent_step("research", sub_agents=subs))
    server.will_call(_delegate("a"), to="You are Ada.")
    for at, name in enumerate("abcd"):
        server.will_call(_delegate(names[at + 1]), to=f"You are {name}.")
    # The fifth: one deeper is too deep, and back to `a` is a circle.
    server.will_call(DONE, _delegate("f"), _delegate("a"), to="You are e.")
    server.will_say("e is done.", to="You are e.")
    for name in (*"dcba", "Ada"):
        server.will_call(DONE, to=f"You are {name}.")
        server.will_say(f"{name} is done.", to=f"You are {name}.")

    assert bench.run().is_completed()

    deepest = [results(request) for request in server.requests if speaker(request) == "e"][1]
    assert [error for _, error in deepest] == [False, True, True]
    assert "at most 5 deep" in deepest[1][0]
    assert "'a' is at work on this already" in deepest[2][0]
    assert "f" not in {speaker(request) for request in server.requests}
    assert result()["answer"] == "Ada is done."


def test_limits_hold_for_the_whole_tree(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", sub_agents=[_sub("reader", "note_low")], limits={"turns": 3}))
    server.will_call(_delegate("reader"), to="You are Ada.")
    server.will_call(NOTE, to="You are reader.")
    server.will_call(DONE, to="You are reader.")

    assert bench.run().is_failed()

    assert len(server.requests) == 3
    assert "the limit of turns is reached (3)" in why()


def test_time_that_others_work_is_time_of_the_step(bench: Bench, server: MessagesServer) -> None:
    bench.before = lambda _text: time.sleep(1.5)
    bench.plan(agent_step("research", sub_agents=[_sub("reader", "note_low")], limits={"wall_seconds": 1.2}))
    server.will_call(_delegate("reader"), to="You are Ada.")
    server.will_call(NOTE, to="You are reader.")
    server.will_call(DONE, to="You are reader.")

    assert bench.run().is_failed()

    assert "the limit of wall time is reached (1.2 s)" in why()
    assert len(server.requests) <= 2


def test_identical_calls_are_counted_over_everybody_who_makes_them(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_low", sub_agents=[_sub("reader", "note_low")]))
    for call in (NOTE, _delegate("reader")):
        server.will_call(call, to="You are Ada.")
    for _ in range(3):
        server.will_call(NOTE, to="You are reader.")

    assert bench.run().is_failed()

    assert bench.effects == ["again"] * 3
    assert "the limit of identical calls is reached (3): 'note_low' was called 4 times" in why()


def test_calls_of_sub_agents_count_as_calls_of_the_run(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", sub_agents=[_sub("reader")]))
    server.will_call(_delegate("reader"), to="You are Ada.")
    server.will_call(DONE, to="You are reader.")
    beside = bench.run_beside(call_cap=2)
    question = wait_for_form()

    assert "A call does not fit into the budget of the run." in question.preview
    assert "| spent | 2 calls |" in question.preview
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="it has called enough")
    assert beside.end().is_failed()
    assert [speaker(request) for request in server.requests] == ["Ada", "reader"]
    assert "the run budget has 0 calls left" in why()


def test_failures_that_pass_are_tried_again_and_counted_since_the_last_turn(
    bench: Bench, server: MessagesServer
) -> None:
    # Three tries since each turn, and four failures in all: more than one task run of Prefect would try again.
    bench.plan(agent_step())
    for _ in range(2):
        server.will_fail(429, "rate_limit_error")
        server.will_fail(529, "overloaded_error")
        server.will_call(DONE)
    server.will_end("cut", after=None)
    server.will_say("Done.")

    assert bench.run().is_completed()

    assert [turn[2:] for turn in turns()] == [
        ("failed", "rate_limited"),
        ("failed", "overloaded"),
        ("pending", None),
        ("failed", "rate_limited"),
        ("failed", "overloaded"),
        ("pending", None),
        ("failed", "interrupted"),
        ("completed", None),
    ]
    assert len(server.requests) == 8


def test_a_step_whose_tries_since_its_last_turn_are_used_up_has_failed(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step())
    server.will_call(DONE)
    for _ in range(3):
        server.will_fail(529, "overloaded_error")
    server.will_say("Never asked for.")

    assert bench.run().is_failed()

    assert len(server.requests) == 4
    assert server.left == 1
    assert why() == "step 'research' failed after 3 tries: the engine did not deliver (overloaded)"


@pytest.mark.parametrize(
    ("stop_reason", "kind"),
    [
        ("refusal", "declined"),
        ("max_tokens", "truncated"),
        ("model_context_window_exceeded", "too_long"),
        ("pause_turn", "unusable_output"),
        ("tool_use", "unusable_output"),
    ],
)
def test_a_reply_that_is_none_fails_the_step_and_is_paid_for(
    bench: Bench, server: MessagesServer, stop_reason: str, kind: str
) -> None:
    bench.plan(agent_step())
    server.will_say("half", stop_reason=stop_reason)

    assert bench.run().is_failed()

    assert [turn[2:] for turn in turns()] == [("failed", kind)]
    assert cost() > 0


@pytest.mark.parametrize("ending", ["stall", "cut"])
def test_a_call_whose_fate_is_unknown_counts_at_its_ceiling(
    bench: Bench, server: MessagesServer, ending: Ending
) -> None:
    ClaudeEngine(timeout_seconds=2).save("default", overwrite=True)
    bench.plan(agent_step(limits={"money_usd": "0.2"}))
    server.will_end(ending, after=None)

    # What it may have cost leaves too little for another call.
    assert bench.run().is_failed()

    assert len(server.requests) == 1
    assert [turn[3] for turn in turns()] == ["timed_out" if ending == "stall" else "interrupted", "limit_reached"]
    assert cost() > 0


def test_a_run_that_is_cancelled_in_the_middle_of_a_call_makes_no_further_one(
    bench: Bench, server: MessagesServer
) -> None:
    ClaudeEngine(timeout_seconds=5).save("default", overwrite=True)
    bench.plan(agent_step())
    server.will_end("stall", after=None)
    server.will_say("Never asked for.")
    beside = bench.run_beside()
    wait_for(lambda: server.requests)

    cancel_the_run()

    assert not beside.end().is_completed()
    assert len(server.requests) == 1
    assert rows("SELECT status FROM orchestrator_runs") == [("cancelled",)]
    assert [turn[2:] for turn in turns()] == [("failed", "process_died")]
    # Whether it was answered is not known: it counts at its ceiling.
    assert cost() > 0


def test_a_run_that_is_held_takes_no_further_turn_until_it_is_released(bench: Bench, server: MessagesServer) -> None:
    def held_meanwhile(request: CountRequest) -> Behaviour:
        if len(request.messages) > 1:
            return Behaviour(text="Done.")
        run = find_run(only_run_id())
        assert run is not None
        hold_run(run, "author@demo.example")
        return Behaviour(calls=(DONE,), stop_reason="tool_use")

    server.script = held_meanwhile
    bench.plan(agent_step())
    beside = bench.run_beside()
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE gate_kind = 'hold' AND status = 'paused'"))

    before = len(server.requests)
    answer_form(only_run_id(), decision="approve", reviewer="author@demo.example")

    assert beside.end().is_completed()
    assert (before, len(server.requests)) == (1, 2)
