"""An agent's step over real HTTP: whole runs with tools, what they leave behind and what they cost."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from blocks.claude import ClaudeEngine
from tests.agents import DONE, GOAL, agent_step, results, told, turns
from tests.gates import rows
from tests.messages_server import MessagesServer
from tests.plans import Bench

KEY = "sk-test-deep-agent-0001"


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(key=KEY) as running:
        yield running


@pytest.fixture
def bench(
    prefect_api: str,  # noqa: ARG001
    org_id: UUID,  # noqa: ARG001
    server: MessagesServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Bench:
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ClaudeEngine(timeout_seconds=10).save("default", overwrite=True)
    return Bench(monkeypatch, tmp_path)


def test_an_agent_works_with_tools_until_it_answers(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_low"))
    server.will_call(("update_todos", {"todos": [{"text": "Note it"}]}), text="First the list.")
    server.will_call(("note_low", {"text": "first"}), ("note_low", {"text": "second"}))
    server.will_call(DONE)
    server.will_say("It is done.")

    state = bench.run()

    assert state.is_completed()
    assert bench.effects == ["first", "second"]
    assert turns() == [
        (1, "Ada", "pending", None),
        (2, "Ada", "pending", None),
        (3, "Ada", "pending", None),
        (4, "Ada", "completed", None),
    ]
    ((result,),) = rows("SELECT result FROM orchestrator_runs")
    assert result["research"]["answer"] == "It is done."
    assert result["research"]["todos"] == [{"text": "All of it", "state": "done"}]
    assert told(server.requests[0]) == GOAL
    assert results(server.requests[2]) == [
        ('Noted.\n{"text":"first"}', False),
        ('Noted.\n{"text":"second"}', False),
    ]
