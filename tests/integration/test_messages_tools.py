"""The local server is as strict with tools as the API, and the SDK's runner is driven over real HTTP."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from blocks.claude import ClaudeEngine
from blocks.claude_agent import ask_agent, request_bytes
from maos.errors import EngineFailure
from maos.failures import FailureKind
from tests.messages_server import MessagesServer

KEY = "sk-test-strict-tools"
TOOL = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}
ASKED = {"role": "user", "content": [{"type": "text", "text": "Look, please."}]}
CALLED = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]}
MARK = {"cache_control": {"type": "ephemeral"}}


def _answered(*ids: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": name, "content": "x"} for name in ids]}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MessagesServer(key=KEY) as running:
        yield running


def _engine(server: MessagesServer) -> ClaudeEngine:
    return ClaudeEngine(api_key=KEY, base_url=server.url)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"tools": [TOOL, TOOL]}, "Tool names must be unique"),
        ({"tools": [TOOL | {"name": "two words"}]}, "tools.0.name"),
        ({"tools": [TOOL | {"input_schema": {"type": "string"}}]}, "Input should be 'object'"),
        ({"tools": [TOOL | {"input_schema": {"type": "object", "x": {"$ref": "#/$defs/A"}}}]}, "is not defined"),
        ({"tools": [TOOL | {"strict": True}]}, "additionalProperties"),
        ({"tools": [TOOL | {"colour": "red"}]}, "Extra inputs are not permitted"),
        ({"tools": []}, "tools"),
        ({"messages": [ASKED, CALLED, _answered("t1")]}, "tools: required"),
        ({"tools": [TOOL], "messages": [ASKED, CALLED, ASKED]}, "`tool_use` ids"),
        ({"tools": [TOOL], "messages": [ASKED, CALLED, _answered("t1", "t2")]}, "`tool_use` ids"),
        ({"tools": [TOOL], "messages": [ASKED, CALLED, _answered("t1", "t1")]}, "`tool_use` ids"),
        ({"tools": [TOOL], "messages": [_answered("t1")]}, "`tool_use` ids"),
        ({"tools": [TOOL], "messages": [ASKED, ASKED]}, "roles must alternate"),
        ({"tools": [TOOL], "messages": [{"role": "user", "content": CALLED["content"]}]}, "not a block of user"),
        ({"system": [{"type": "text", "text": "x", **MARK}] * 5}, "A maximum of 4 blocks with cache_control"),
        ({"cache_control": {"type": "forever"}}, "cache_control"),
        ({"thread": False}, "thread"),
    ],
)
def test_what_is_not_documented_is_refused(server: MessagesServer, body: dict[str, Any], complaint: str) -> None:
    base = {"model": "claude-haiku-5-5", "max_tokens": 10, "messages": [ASKED]}
    with (
        _engine(server).get_client() as client,
        pytest.raises(anthropic.BadRequestError) as caught,
    ):
        client.messages.create(**base, extra_body=body)

    assert complaint in str(caught.value)


def test_a_turn_of_the_runner_is_one_stateless_request(server: MessagesServer) -> None:
    server.will_call(("look", {"at": None, "deep": {"a": [None]}}), text="I look.")
    messages = [ASKED, CALLED, _answered("t1")]

    reply = ask_agent(_engine(server), system="You are Ada.", tools=[TOOL], messages=messages, max_tokens=100)

    (request,) = server.requests
    assert request.path == "/v1/messages"
    assert request.body == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "system": [{"type": "text", "text": "You are Ada.", **MARK}],
        "tools": [TOOL],
        "messages": messages,
        "output_config": {"effort": "medium"},
        **MARK,
    }
    assert "anthropic-beta" not in request.headers
    # Nothing was carried out, and what was said can be sent back as it is.
    assert [block["type"] for block in reply.said] == ["thinking", "text", "tool_use"]
    assert reply.said[2]["input"] == {"at": None, "deep": {"a": [None]}}
    assert (reply.stop_reason, reply.raw_usage["input_tokens"], reply.request_id) == ("tool_use", 812, "req_0001")


def test_the_bytes_of_a_request_are_not_underestimated() -> None:
    texts = ["Grüße 🙂", "line\nline", '"quoted" \\ back']
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]} for text in texts]

    assert request_bytes("s", [], messages) >= len("s") + sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize(
    ("status", "error_type", "kind"),
    [
        (429, "rate_limit_error", FailureKind.RATE_LIMITED),
        (529, "overloaded_error", FailureKind.OVERLOADED),
        (401, "authentication_error", FailureKind.NOT_PERMITTED),
        (400, "invalid_request_error", FailureKind.BAD_REQUEST),
        (500, "api_error", FailureKind.UNREACHABLE),
    ],
)
def test_each_error_has_its_kind_and_is_not_tried_again_by_the_sdk(
    server: MessagesServer, status: int, error_type: str, kind: FailureKind
) -> None:
    server.will_fail(status, error_type, f"with {KEY}", headers={"retry-after": "0"})

    with pytest.raises(EngineFailure) as caught:
        ask_agent(_engine(server), system="s", tools=[TOOL], messages=[ASKED], max_tokens=100)

    assert caught.value.kind is kind
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1
