"""Agents' steps over the strict local server: plans of them, and what came of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from blocks.claude import ClaudeEngine
from maos.autonomy import AutonomyLevel
from maos.engines import EngineType
from maos.plans import Agent, PlanStep, RetryPolicy
from tests.gates import rows
from tests.messages_server import LoggedRequest, MessagesServer

KEY = "sk-test-deep-agent-0001"
AT_ONCE = RetryPolicy(first_delay_seconds=0, jitter=0)
DONE: tuple[str, dict[str, Any]] = ("update_todos", {"todos": [{"text": "All of it", "state": "done"}]})
GOAL = "Find out what is the matter."


@contextmanager
def agents_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    """Hand out the vendor's place, with a key in the settings."""
    with MessagesServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        ClaudeEngine(timeout_seconds=30).save("default", overwrite=True)
        yield running
        ClaudeEngine().save("default", overwrite=True)


def agent_step(
    name: str = "research",
    *tools: str,
    agent: str = "Ada",
    persona: str = "",
    autonomy: AutonomyLevel | None = None,
    inputs: dict[str, str] | None = None,
    **parameters: Any,
) -> PlanStep:
    """Return a step of an agent that is tried again at once."""
    return PlanStep(
        id=name,
        agent=Agent(name=agent, persona=persona),
        engine=EngineType.DEEP_AGENT,
        action="investigate",
        parameters={"goal": GOAL, "tools": list(tools), **parameters},
        inputs=inputs or {},
        retry=AT_ONCE,
        autonomy=autonomy,
    )


def results(request: LoggedRequest) -> list[tuple[str, bool]]:
    """Return the results of tools in the newest message of a request: each text, and whether it is an error."""
    return [
        (block["content"], block.get("is_error", False))
        for block in request.body["messages"][-1]["content"]
        if block["type"] == "tool_result"
    ]


def told(request: LoggedRequest) -> str:
    """Return the words of the newest message of a request."""
    return "\n".join(block["text"] for block in request.body["messages"][-1]["content"] if block["type"] == "text")


def speaker(request: LoggedRequest) -> str:
    """Return who is addressed, as the system text begins."""
    text: str = request.body["system"][0]["text"]
    return text.partition(".")[0].removeprefix("You are ")


def sent(server: MessagesServer) -> str:
    """Return everything that was ever sent."""
    return "\n".join(json.dumps(request.body, ensure_ascii=False) for request in server.requests)


def turns(step: str = "research") -> list[tuple[Any, ...]]:
    """Return the attempts of a step: number, who spoke, status, kind of failure."""
    return rows(
        "SELECT attempt, agent_name, status, error_kind FROM agent_invocations "
        f"WHERE step_id = '{step}' ORDER BY attempt"
    )


def why() -> str:
    """Return why the run ended."""
    ((reason,),) = rows("SELECT error_summary FROM orchestrator_runs")
    return str(reason)


def result(step: str = "research") -> dict[str, Any]:
    """Return what the run handed back of a step."""
    ((found,),) = rows("SELECT result FROM orchestrator_runs")
    outcome: dict[str, Any] = found[step]
    return outcome


def cost() -> Decimal:
    """Return what all attempts together cost."""
    ((total,),) = rows("SELECT sum(cost_usd) FROM agent_invocations")
    return Decimal(total)
