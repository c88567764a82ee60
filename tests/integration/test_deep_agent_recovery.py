"""An agent's step whose processes die: what was answered and paid for is never asked for again."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.agents import DONE, agents_server
from tests.chaos import Chaos, Trial, chaos
from tests.gates import rows
from tests.messages_request import CountRequest
from tests.messages_server import Behaviour, MessagesServer


class Script:
    """Says the same to the same, however often it is asked, and may kill whoever asks."""

    def __init__(self, hook: str) -> None:
        self.hook = hook
        self.asked: Counter[tuple[str, int]] = Counter()
        # At which message of which goal whoever sends it dies, once.
        self.fatal: dict[int, Chaos] = {}

    def __call__(self, request: CountRequest) -> Behaviour:
        content = request.messages[0].content
        goal = content if isinstance(content, str) else str(getattr(content[0], "text", ""))
        length = len(request.messages)
        self.asked[goal, length] += 1
        if victim := self.fatal.pop(length, None):
            os.kill(victim.pid, signal.SIGKILL)
        note = ("chaos_note", {"text": "noted"})
        call = ("call_webhook", {"url": self.hook, "body": json.dumps({"run": goal})})
        calls = {1: (DONE, note), 3: (call,)}.get(length, ())
        stop = "tool_use" if calls else "end_turn"
        return Behaviour(text="" if calls else "It is done.", calls=calls, stop_reason=stop)


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    with agents_server(monkeypatch) as running:
        yield running


@pytest.fixture
def dying(server: MessagesServer, tmp_path: Path) -> Iterator[tuple[Chaos, Script]]:
    with chaos(tmp_path) as running:
        server.script = script = Script(running._hooks["hook"].url)
        yield running, script


def _check(trial: Trial, running: Chaos, script: Script) -> None:
    assert trial.state == "COMPLETED", trial
    # The effect arrived once, whatever died.
    assert running.arrived("hook", trial) == 1
    attempts = Counter(
        status if status != "failed" else kind
        for status, kind in rows(
            f"SELECT status, error_kind FROM agent_invocations WHERE run_id = '{trial.id}' AND step_id = 'research'"
        )
    )
    assert (attempts["pending"], attempts["completed"]) == (2, 1)
    # One request for each turn, and at most the one that was under way for each death.
    asked = {length: count for (goal, length), count in script.asked.items() if goal == trial.title}
    assert asked.keys() == {1, 3, 5}
    assert sum(asked.values()) - 3 <= attempts["process_died"] <= trial.kills
    assert sum(attempts.values()) == 3 + attempts["process_died"]
    ((spent, entered),) = rows(
        "SELECT (SELECT sum(cost_usd) FROM agent_invocations), "
        "(SELECT sum(amount_usd) FROM usage_entries WHERE kind = 'settle')"
    )
    assert spent == entered


@pytest.mark.timeout(1200)
def test_wherever_its_process_dies_an_agent_goes_on_from_its_last_turn(dying: tuple[Chaos, Script]) -> None:
    running, script = dying
    whole = running.run(kind="agent")
    _check(whole, running, script)
    assert whole.kills == 0

    for boundary in range(3, whole.passed + 1, max(1, whole.passed // 5)):
        _check(running.run(kind="agent", die_at=(boundary,)), running, script)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("length", [1, 3, 5])
def test_a_process_that_dies_in_the_middle_of_a_call_loses_that_call_alone(
    dying: tuple[Chaos, Script], length: int
) -> None:
    running, script = dying
    script.fatal[length] = running

    trial = running.run(kind="agent")

    _check(trial, running, script)
    assert trial.kills == 1
    assert {key[1]: count for key, count in script.asked.items()} == {1: 1, 3: 1, 5: 1} | {length: 2}
