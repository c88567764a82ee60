"""Calls of an agent that become steps: asked about, carried out once, answered; and calls that people refuse."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest

from blocks.webhooks import Webhooks
from maos.approvals import Approval
from maos.autonomy import AutonomyLevel
from maos.plans import OnFailure
from maos.settings import load_settings
from tests.agents import DONE, agent_step, agents_server, result, results, turns, why
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.messages_server import MessagesServer
from tests.plans import Bench, step
from tests.webhook_receiver import WebhookReceiver


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    with agents_server(monkeypatch) as running:
        yield running


@pytest.fixture
def receiver(prefect_api: str) -> Iterator[WebhookReceiver]:  # noqa: ARG001
    with WebhookReceiver() as running:
        Webhooks(allow_private=True).save("default", overwrite=True)
        yield running
    Webhooks().save("default", overwrite=True)


def _answer(decision: str, note: str = "fine") -> Approval:
    """Answer the form of the one action that waits, once the run waits for it."""
    (approval,) = wait_for(pending)
    answer_form(only_run_id(), decision=decision, reviewer=REVIEWER, note=note)
    return approval


def test_an_effect_waits_for_a_person_arrives_once_and_the_agent_goes_on(
    bench: Bench, server: MessagesServer, receiver: WebhookReceiver
) -> None:
    # Braces are nothing to the agent's words: they are no template.
    body = json.dumps({"text": "{{ goal }} {% raw %}"})
    bench.plan(agent_step("research", "call_webhook", "note_low"))
    server.will_call(DONE, ("note_low", {"text": "beside"}), ("call_webhook", {"url": receiver.url, "body": body}))
    server.will_say("It is delivered.")
    beside = bench.run_beside()

    (waiting,) = wait_for(pending)
    before = (len(server.requests), len(receiver.deliveries))
    asked = _answer("approve")

    assert beside.end().is_completed()
    assert before == (1, 0)
    assert asked.id == waiting.id
    assert "goal" in asked.preview
    assert [delivery.body for delivery in receiver.deliveries] == [json.loads(body)]
    assert results(server.requests[1])[1:] == [
        ('Noted.\n{"text":"beside"}', False),
        (
            "Carried out as step research_call1_3.\n"
            f'{{"confirmed":false,"rehearsed":false,"status":200,"url":"{receiver.url}"}}',
            False,
        ),
    ]
    # The result of the run is the agent's; the step it called is its own affair.
    assert result()["answer"] == "It is delivered."
    assert rows("SELECT step_id, agent_name, status FROM agent_invocations ORDER BY started_at") == [
        ("research", "Ada", "pending"),
        ("research_call1_3", "Ada", "completed"),
        ("research", "Ada", "completed"),
    ]
    assert rows("SELECT step_id, status, intentions FROM effects") == [("research_call1_3", "done", 1)]
    assert why() == "None"


def test_a_refusal_reaches_the_agent_and_the_third_proposal_ends_the_step(bench: Bench, server: MessagesServer) -> None:
    danger = ("note_high", {"text": "danger"})
    bench.plan(agent_step("research", "note_high"))
    server.will_call(danger)
    server.will_call(danger)
    server.will_call(danger)
    beside = bench.run_beside()

    _answer("reject", "not on a Friday")

    assert beside.end().is_failed()
    first, second = results(server.requests[1]), results(server.requests[2])
    assert first == [
        (f"It was not carried out: step 'research_call1_1' was rejected by {REVIEWER}: not on a Friday", True)
    ]
    assert second == [
        (
            "It was refused before, and nobody is asked again: "
            f"step 'research_call1_1' was rejected by {REVIEWER}: not on a Friday",
            True,
        )
    ]
    assert len(server.requests) == 3
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(1,)]
    assert bench.effects == []
    assert "'note_high' was refused, and is proposed for the 3. time" in why()


def test_an_agent_may_go_another_way_after_a_refusal(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_high", "note_low"))
    server.will_call(DONE, ("note_high", {"text": "danger"}))
    server.will_call(("note_low", {"text": "harmless"}))
    server.will_say("Done otherwise.")
    beside = bench.run_beside()

    _answer("reject", "no")

    assert beside.end().is_completed()
    assert bench.effects == ["harmless"]
    assert why() == "None"


def test_a_call_that_fails_is_told_by_its_kind(bench: Bench, server: MessagesServer) -> None:
    def fail(_text: str) -> None:
        raise OSError("disk full at /var/secret")

    bench.before = fail
    bench.plan(agent_step("research", "note_high"))
    server.will_call(DONE, ("note_high", {"text": "danger"}))
    server.will_say("It failed.")
    beside = bench.run_beside()

    _answer("approve")

    assert beside.end().is_completed()
    assert results(server.requests[1])[1] == ("It failed: the service failed (OSError)", True)


def test_several_calls_of_one_turn_wait_together(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_high", "note_critical"))
    server.will_call(("note_high", {"text": "a"}), DONE, ("note_critical", {"text": "b"}))
    server.will_say("Both asked.")
    beside = bench.run_beside()
    wait_for(lambda: len(pending()) == 2)

    answer_form(
        only_run_id(),
        decision="approve",
        reviewer=REVIEWER,
        note="b is too much",
        other_decisions=[{"step": "research_call1_3", "decision": "reject"}],
    )

    assert beside.end().is_completed()
    assert bench.effects == ["a"]
    assert [error for _, error in results(server.requests[1])] == [False, False, True]


def test_a_sub_agent_that_is_stricter_asks_where_its_run_would_not(bench: Bench, server: MessagesServer) -> None:
    strict = {"name": "novice", "goal": "learns", "tools": ["note_low"], "autonomy": "supervised"}
    bench.plan(agent_step("research", "note_low", sub_agents=[strict]))
    server.will_call(DONE, ("note_low", {"text": "by Ada"}), ("delegate", {"agent": "novice", "task": "x"}))
    server.will_call(DONE, ("note_low", {"text": "by-novice"}), to="You are novice.")
    server.will_say("Noted.", to="You are novice.")
    server.will_say("Done.", to="You are Ada.")
    beside = bench.run_beside()

    asked = _answer("approve")

    assert beside.end().is_completed()
    assert (asked.action, asked.step_id) == ("note_low", "research_call2_2")
    assert bench.effects == ["by-novice", "by", "Ada"]
    ((plan,),) = rows("SELECT plan FROM orchestrator_runs")
    (called,) = [each for each in plan["steps"] if each["id"] == "research_call2_2"]
    assert called["autonomy"] == "supervised"
    assert called["agent"]["name"] == "novice"
    assert called["called_by"] == {"step": "research", "turn": 2}


def test_a_supervised_agent_is_asked_about_before_it_begins(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step(autonomy=AutonomyLevel.SUPERVISED, limits={"money_usd": "1.5"}))
    server.will_call(DONE)
    server.will_say("Done.")
    beside = bench.run_beside()

    asked = _answer("approve")

    assert beside.end().is_completed()
    assert (asked.step_id, str(asked.cost_ceiling_usd.normalize())) == ("research", "1.5")


def test_an_action_that_reads_outcomes_becomes_a_step_that_reads_them(bench: Bench, server: MessagesServer) -> None:
    bench.plan(step("profile", text="x"), agent_step("research", "draw_charts", inputs={"metrics": "profile"}))
    server.will_call(
        DONE,
        ("draw_charts", {"parameters": {}, "inputs": {"metrics": "metrics"}}),
        ("draw_charts", {"parameters": {}, "inputs": {"metrics": "elsewhere"}}),
        ("draw_charts", {"parameters": {}}),
    )
    server.will_say("Done.")

    assert bench.run().is_completed()

    _, unfit, unknown, missing = results(server.requests[1])
    # What it reads is no metrics: the step says so, as any step would.
    assert unfit[0].startswith("It failed: input 'metrics'")
    assert "an input of yours or a step that you have called: metrics" in unknown[0]
    assert "inputs missing: metrics" in missing[0]
    assert rows("SELECT step_id, status FROM agent_invocations WHERE step_id LIKE '%call%'") == [
        ("research_call1_2", "failed")
    ]


def test_a_plan_that_is_full_is_told_to_the_agent(bench: Bench, server: MessagesServer) -> None:
    def fail(text: str) -> None:
        raise OSError(text)

    bench.before = fail
    # 99 steps that cost no time: they are skipped, because the first one fails.
    first = step("first").model_copy(update={"on_failure": OnFailure.SKIP})
    others = (step(f"s{number}", after=("first",)) for number in range(98))
    bench.plan(agent_step("research", "note_high"), first, *others)
    server.will_call(DONE, ("note_high", {"text": "a"}))
    server.will_say("There was no room.")

    assert bench.run().is_completed()

    assert "101 steps; at most 100 are allowed" in results(server.requests[1])[1][0]
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(0,)]


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_transcript_that_is_not_what_was_written_ends_the_step(
    bench: Bench, server: MessagesServer, damage: str
) -> None:
    bench.plan(agent_step("research", "note_high"))
    server.will_call(DONE, ("note_high", {"text": "a"}))
    beside = bench.run_beside()
    wait_for(pending)
    file = load_settings().artifact_store / "demo" / str(only_run_id()) / "agents/research/turn-0001.json"

    if damage == "gone":
        file.unlink()
    else:
        file.write_text(file.read_text().replace("All of it", "None of it"))
    _answer("approve")

    assert beside.end().is_failed()
    assert len(server.requests) == 1
    assert why().startswith("step 'research' failed: input 'transcript': the file agents/research/turn-0001.json")
    assert turns()[-1][2:] == ("failed", "inputs")
