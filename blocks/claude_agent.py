"""One turn of an agent on the SDK's tool runner, which neither keeps the conversation nor runs a tool."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from blocks.claude import ClaudeEngine
from maos.actions import JsonObject
from maos.errors import EngineFailure
from maos.failures import FailureKind

if TYPE_CHECKING:
    from anthropic.types.beta import BetaMessage, BetaMessageParam, BetaToolUnionParam

_EFFORT: Literal["medium"] = "medium"


class AgentReply(BaseModel):
    """What an agent said, with the vendor's record of it."""

    model_config = ConfigDict(frozen=True)

    model: str
    request_id: str | None
    said: tuple[JsonObject, ...] = Field(description="The blocks of the reply, as they are sent back.")
    stop_reason: str | None
    refused_for: str | None
    raw_usage: JsonObject


def ask_agent(
    engine: ClaudeEngine,
    *,
    system: str,
    tools: Sequence[Mapping[str, Any]],
    messages: Sequence[Mapping[str, Any]],
    max_tokens: int,
) -> AgentReply:
    """Have the agent say its next.

    The runner makes this one request and hands the calls of tools back: an answer that was paid for is written down
    before any of them is carried out, and another process may be the one that does it.

    Raises:
        EngineFailure: when no reply came.
    """
    with engine.connect() as client:
        runner = client.beta.messages.tool_runner(
            model=engine.model_id,
            max_tokens=max_tokens,
            # What stays the same in every turn is read from the cache, and so is the conversation so far.
            system=[{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
            cache_control={"type": "ephemeral"},
            tools=cast("list[BetaToolUnionParam]", list(tools)),
            messages=cast("list[BetaMessageParam]", list(messages)),
            output_config={"effort": _EFFORT},
            # Nothing stays with the vendor: every turn sends the whole conversation.
            thread=False,
            max_iterations=1,
        )
        message = next(runner)
        runner.close()
    return _reply(message)


def _reply(message: "BetaMessage") -> AgentReply:
    # The SDK hands on whatever was answered with a 200, be it the page of another server.
    if not isinstance(getattr(message, "content", None), list):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "the answer is no message")
    details = message.stop_details
    return AgentReply(
        model=message.model,
        request_id=message._request_id,
        said=tuple(block.to_dict(exclude_none=True) for block in message.content),
        stop_reason=message.stop_reason,
        refused_for=details.category if details and details.type == "refusal" else None,
        raw_usage=message.usage.to_dict(),
    )


def request_bytes(system: str, tools: Sequence[Mapping[str, Any]], messages: Sequence[Mapping[str, Any]]) -> int:
    """Return no fewer than the UTF-8 bytes of everything that a turn sends."""
    return len(json.dumps([system, list(tools), list(messages)], ensure_ascii=False).encode())
