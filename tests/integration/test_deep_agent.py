"""An agent's step over real HTTP: whole runs with tools, what they leave behind and what they cost."""

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from maos.actions import ArtifactRef
from maos.pricing import cost_of
from maos.settings import load_settings
from maos.usage import TokenUsage
from tasks.billing import check_billing
from tests.agents import DONE, GOAL, agent_step, agents_server, cost, result, results, sent, speaker, told, turns, why
from tests.gates import only_run_id, refuse_top_up, rows
from tests.messages_server import MessagesServer
from tests.plans import Bench, step

SECRET = "sk-canary-0123456789abcdef"


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    with agents_server(monkeypatch) as running:
        yield running


def _folder() -> Path:
    return load_settings().artifact_store / "demo" / str(only_run_id())


def test_an_agent_works_with_tools_until_it_answers(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_low", persona="Patient."))
    server.will_call(("update_todos", {"todos": [{"text": "Note it"}]}), text="First the list.")
    server.will_call(("note_low", {"text": "first"}), ("note_low", {"text": "second"}))
    server.will_call(DONE)
    server.will_say("It is done.")

    state = bench.run()

    assert state.is_completed()
    assert bench.effects == ["first", "second"]
    assert turns() == [(number, "Ada", "pending", None) for number in (1, 2, 3)] + [(4, "Ada", "completed", None)]
    assert result() == {
        "answer": "It is done.",
        "value": None,
        "todos": [{"text": "All of it", "state": "done"}],
        "files": [],
        "turns": 4,
        "rehearsed": False,
    }
    assert told(server.requests[0]) == GOAL
    assert results(server.requests[2]) == [('Noted.\n{"text":"first"}', False), ('Noted.\n{"text":"second"}', False)]


def test_every_turn_sends_the_same_beginning_so_that_the_cache_is_read(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_low", "note_high", persona="Patient."))
    server.will_call(DONE)
    server.will_call(("note_low", {"text": "a"}))
    server.will_say("Done.")

    bench.run()

    first, second, third = (request.body for request in server.requests)
    assert first["system"] == second["system"] == third["system"]
    assert first["tools"] == second["tools"] == third["tools"]
    assert third["messages"][: len(second["messages"])] == second["messages"]
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert first["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert first["cache_control"] == {"type": "ephemeral"}
    assert "Patient." in first["system"][0]["text"]
    assert {"note_low", "note_high", "update_todos", "propose_steps"} <= {tool["name"] for tool in first["tools"]}
    assert "delegate" not in {tool["name"] for tool in first["tools"]}
    assert {request.headers["x-stainless-helper"] for request in server.requests} == {"BetaToolRunner"}
    assert all(tool["description"] and tool["input_schema"]["type"] == "object" for tool in first["tools"])


def test_each_turn_is_a_row_with_its_cost_and_a_file_with_its_checksum(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step())
    server.will_call(DONE, input_tokens=1000, output_tokens=100)
    server.will_say("Done.", input_tokens=500, output_tokens=50, cache_read_input_tokens=1100)

    bench.run()

    ((begun,),) = rows("SELECT min(started_at) FROM agent_invocations")
    used = (
        TokenUsage(input_tokens=1000, output_tokens=100),
        TokenUsage(input_tokens=500, output_tokens=50, cache_read_tokens=1100),
    )
    costs = [cost_of(usage, "claude-sonnet-5-5", begun).usd for usage in used]
    assert [spent for (spent,) in rows("SELECT cost_usd FROM agent_invocations ORDER BY attempt")] == costs
    assert rows("SELECT kind, count(*) FROM usage_entries GROUP BY kind ORDER BY kind") == [
        ("reserve", 2),
        ("settle", 2),
    ]
    assert rows("SELECT sum(amount_usd) FROM usage_entries WHERE kind = 'settle'") == [(sum(costs),)]
    assert check_billing() == []
    for number, (artifacts,) in enumerate(rows("SELECT artifacts FROM agent_invocations ORDER BY attempt"), start=1):
        file = ArtifactRef.model_validate(artifacts[0])
        content = (_folder() / file.name).read_bytes()
        assert file.name == f"agents/research/turn-000{number}.json"
        assert hashlib.sha256(content).hexdigest() == file.sha256
        assert json.loads(content)["agent"] == "Ada"
    assert rows(
        "SELECT event, actor, success FROM agent_action_audit_log WHERE step_id = 'research' ORDER BY sequence"
    ) == [("step.went_on", "Ada", True), ("step.completed", "Ada", True)]
    assert rows("SELECT output_summary FROM agent_invocations ORDER BY attempt") == [
        ("Called update_todos.",),
        ("Answered after 2 turns with 0 files.",),
    ]


def test_text_of_a_tools_error_never_reaches_the_engine(bench: Bench, server: MessagesServer) -> None:
    def fail(name: str) -> None:
        if name == "broken":
            raise OSError(f"login of operator with {SECRET} at db.internal failed")

    bench.before = fail
    bench.plan(agent_step("research", "note_low"))
    server.will_call(DONE, ("note_low", {"text": "broken"}), ("note_low", {"text": f"the key is {SECRET}"}))
    server.will_say("Done.")

    assert bench.run().is_completed()

    (_, broken, secret) = results(server.requests[1])
    assert broken == ("the service failed (OSError)", True)
    assert secret == ('Noted.\n{"text":"the key is [secret]"}', False)
    assert "db.internal" not in sent(server)


def test_wrong_arguments_and_tools_that_it_may_not_use_are_told_to_the_agent(
    bench: Bench, server: MessagesServer
) -> None:
    bench.plan(agent_step("research", "note_low"))
    server.will_call(
        DONE,
        ("note_low", {"text": {"no": "text"}}),
        ("note_medium", {"text": "x"}),
        ("rm", {"path": "/"}),
        ("write_file", {"path": "a.md"}),
        ("delegate", {"agent": "nobody", "task": "x"}),
    )
    server.will_say("Done.")

    assert bench.run().is_completed()

    answers = results(server.requests[1])
    assert answers[1] == ("text: Input should be a valid string", True)
    assert answers[2] == ("'note_medium' is no action that you may use; yours are: note_low", True)
    assert answers[3] == ("'rm' is no action that you may use; yours are: note_low", True)
    assert answers[4] == ("content: Field required", True)
    assert "there is no agent 'nobody'" in answers[5][0]
    assert bench.effects == []


def test_an_agent_keeps_files_and_notes(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step())
    server.will_call(
        ("write_file", {"path": "notes/first.md", "content": "# Title\nold"}),
        ("edit_file", {"path": "notes/first.md", "old": "old", "new": "new"}),
        ("read_file", {"path": "notes/first.md"}),
        ("read_file", {"path": "../../../secret"}),
        ("list_files", {}),
        ("remember", {"key": "fact", "value": "water is wet"}),
        ("recall", {"key": "fact"}),
        ("recall", {"key": "nothing"}),
        ("recall", {}),
        DONE,
    )
    server.will_say("Done.")

    assert bench.run().is_completed()

    texts = [text for text, _ in results(server.requests[1])]
    assert texts[:3] == ["done", "done", "# Title\nnew"]
    assert "is not accepted" in texts[3]
    assert texts[4:6] == ["notes/first.md", "done"]
    assert texts[6] == "water is wet\n\n(noted by Ada, version 1)"
    assert texts[7:9] == ["nothing is noted under 'nothing'", "fact"]
    (file,) = result()["files"]
    assert (_folder() / file["name"]).read_text() == "# Title\nnew"
    assert rows("SELECT key, value, written_by FROM agent_shared_memory") == [("fact", "water is wet", "Ada")]


def test_an_agent_that_ends_without_a_list_is_told_so_once(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step())
    server.will_say("Here you are.")
    server.will_call(("update_todos", {"todos": [{"text": "a", "state": "done"}, {"text": "b"}]}))
    server.will_say("Here it is again.")

    assert bench.run().is_completed()

    assert "without a todo list" in told(server.requests[1])
    assert len(server.requests) == 3
    assert result()["answer"] == "Here it is again."
    assert [todo["state"] for todo in result()["todos"]] == ["done", "open"]
    assert rows("SELECT output_summary FROM agent_invocations WHERE status = 'completed'") == [
        ("Answered after 3 turns with 0 files, 1 points left open.",)
    ]


def test_what_an_agent_reads_and_who_reads_it(bench: Bench, server: MessagesServer) -> None:
    bench.plan(
        step("facts", text="water is wet"),
        agent_step("research", inputs={"known": "facts.text"}, goal="Explain {{ known }}."),
        step("after", after=("research",), text="x"),
    )
    server.will_call(DONE)
    server.will_say("Because.")

    assert bench.run().is_completed()

    assert told(server.requests[0]).startswith("Explain water is wet.")
    assert "Your input `known`" in told(server.requests[0])
    assert bench.effects == ["water", "is", "wet", "x"]


def test_proposed_steps_join_the_plan_and_run(bench: Bench, server: MessagesServer) -> None:
    def proposal(name: str, action: str, **more: object) -> dict[str, object]:
        service = {"agent": "clerk", "engine": "internal_service", "parameters": {"text": name}}
        return {"id": name, "action": action, **service, **more}

    bench.plan(agent_step("research", "note_low"))
    server.will_call(
        ("propose_steps", {"steps": [proposal("more", "note_low", after=["research"])]}),
        ("propose_steps", {"steps": [proposal("danger", "note_critical")]}),
        ("propose_steps", {"steps": [proposal("more", "note_low")]}),
        ("propose_steps", {"steps": [proposal("sly", "note_low", called_by={"step": "research", "turn": 1})]}),
        ("propose_steps", {"steps": [proposal("bad", "note_low", after=["nowhere"])]}),
        DONE,
    )
    server.will_say("Proposed.")

    assert bench.run().is_completed()

    taken, means, twice, sly, bad, _ = results(server.requests[1])
    assert taken == ("1 steps are taken; they run after your own step", False)
    assert means == (
        "the plan is refused: proposed step 1: 'note_critical' is no action that you may use; yours are: note_low",
        True,
    )
    assert "stands 2 times" in twice[0]
    assert "only an agent's call has `called_by`" in sly[0]
    assert "'nowhere', which the plan does not have" in bad[0]
    assert bench.effects == ["more"]
    assert result("more") == {"text": "more"}
    assert rows("SELECT revision, proposed_by FROM plan_revisions ORDER BY revision") == [(1, None), (2, "research")]


def test_two_agents_work_side_by_side_each_in_its_own_conversation(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("one", "note_low", agent="Ada"), agent_step("two", "note_low", agent="Ben"))
    for name in ("Ada", "Ben"):
        server.will_call(DONE, ("note_low", {"text": name}), to=f"You are {name}.")
        server.will_say(f"{name} is done.", to=f"You are {name}.")

    assert bench.run().is_completed()

    assert sorted(bench.effects) == ["Ada", "Ben"]
    for step_id, name in (("one", "Ada"), ("two", "Ben")):
        assert turns(step_id) == [(1, name, "pending", None), (2, name, "completed", None)]
        assert result(step_id)["answer"] == f"{name} is done."
    assert rows("SELECT sum(amount_usd) FROM usage_entries WHERE kind = 'settle'") == [(cost(),)]


def test_the_cap_of_the_run_holds_for_every_turn(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step())
    server.will_call(DONE, input_tokens=1000, output_tokens=8000)
    server.will_say("Never said.")

    # The ceiling of the first call fits, that of the second not any more.
    beside = bench.run_beside(cost_cap_usd=Decimal("0.15"))
    refuse_top_up()

    assert beside.end().is_failed()
    assert len(server.requests) == 1
    assert "budget has" in why()
    assert turns()[-1][3] == "budget"
    ((spent, reserved),) = rows("SELECT spent, reserved FROM budget_standings")
    assert spent == cost() <= Decimal("0.15")
    assert reserved == 0


def test_without_a_key_an_agent_is_rehearsed(
    bench: Bench, server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAOS_ANTHROPIC_API_KEY")
    bench.plan(agent_step("research", "note_low", "note_high"))

    assert bench.run().is_completed()

    assert server.requests == []
    assert bench.effects == ["done"]
    assert result()["rehearsed"] is True
    assert result()["answer"].splitlines() == [
        "REHEARSAL: no engine was called; this answer is derived by rule.",
        f"Goal: {GOAL}",
        "Read: nothing",
        "note_low says: Noted.",
        '{"text":"done"}',
        "note_high was not called.",
    ]
    assert [todo["state"] for todo in result()["todos"]] == ["done", "done", "dropped", "done"]
    assert rows("SELECT status, rehearsal, cost_usd FROM agent_invocations") == [("completed", True, 0)]


def test_the_engine_is_named_to_nobody_who_reads_as_a_client(
    bench: Bench, server: MessagesServer, database: str, org_id: UUID
) -> None:
    bench.plan(agent_step())
    server.will_fail(401, "authentication_error", f"no such key {SECRET}")

    assert bench.run().is_failed()

    with psycopg.connect(f"{database}?options=-crole%3Dmaos_client") as connection:
        connection.execute("SELECT set_config('app.org_id', %s, false)", [str(org_id)])
        views = ("SELECT * FROM client.invocations", "SELECT * FROM client.runs")
        shown = str([connection.execute(view).fetchall() for view in views])
    assert "researcher" in shown
    assert "the engine did not deliver (not permitted)" in shown
    assert not [word for word in ("claude", "anthropic", "sonnet", SECRET, "deep_agent") if word in shown]
    assert speaker(server.requests[0]) == "Ada"
