"""Agents' steps over the strict local server: plans of them, and what came of them."""

import json
from typing import Any

from maos.autonomy import AutonomyLevel
from maos.engines import EngineType
from maos.plans import Agent, PlanStep, RetryPolicy
from tests.gates import rows
from tests.messages_server import LoggedRequest, MessagesServer

AT_ONCE = RetryPolicy(first_delay_seconds=0, jitter=0)
DONE: tuple[str, dict[str, Any]] = ("update_todos", {"todos": [{"text": "All of it", "state": "done"}]})
GOAL = "Find out what is the matter."


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


def sent(server: MessagesServer) -> str:
    """Return everything that was ever sent."""
    return "\n".join(json.dumps(request.body, ensure_ascii=False) for request in server.requests)


def turns(step: str = "research") -> list[tuple[Any, ...]]:
    """Return the attempts of a step: number, who spoke, status, kind of failure."""
    return rows(
        "SELECT attempt, agent_name, status, error_kind FROM agent_invocations "
        f"WHERE step_id = '{step}' ORDER BY attempt"
    )
