"""The local server is as strict as the API, and answers in JSON as well as in a stream."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from blocks.claude import ClaudeEngine
from tests.messages_server import MessagesServer

KEY = "sk-test-strict"
BASE: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with MessagesServer(key=KEY) as running:
        yield running


_CACHED = {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def test_an_answer_in_json_has_the_documented_shape(server: MessagesServer) -> None:
    server.will_say("Hi")

    with ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client:
        message = client.messages.create(**BASE)

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 812, 164)


def test_a_stream_adds_up_to_the_same_message(server: MessagesServer) -> None:
    server.will_say("x" * 100)

    with (
        ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client,
        client.messages.stream(**BASE) as stream,
    ):
        message = stream.get_final_message()

    assert stream.get_final_text() == "x" * 100
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 164)


@pytest.mark.parametrize(
    ("body", "status", "complaint"),
    [
        ({"temperature": 0.5}, 400, "temperature: Extra inputs are not permitted"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "assistant", "content": "{"}]}, 400, "the last turn must be the user's"),
        ({"model": "claude-sonnet-9"}, 404, "model: claude-sonnet-9"),
        ({"tool_choice": {"type": "tool", "name": "answer"}}, 400, "tool_choice"),
        ({"system": [_CACHED] * 5}, 400, "A maximum of 4 blocks with cache_control"),
        ({"system": [{**_CACHED, "text": ""}]}, 400, "system"),
        ({"system": [{**_CACHED, "cache_control": {"type": "forever"}}]}, 400, "system"),
        (_schema({"type": "object", "properties": {}}), 400, "additionalProperties"),
        (_schema({"type": "integer", "minimum": 1}), 400, "keyword 'minimum' is not supported"),
        (_schema({"type": "array", "items": {"type": "string", "maxLength": 3}}), 400, "keyword 'maxLength'"),
        (_schema({"type": "array", "items": {"type": "string"}, "minItems": 2}), 400, "minItems"),
        (_schema({"type": "string", "format": "color"}), 400, "format 'color' is not supported"),
    ],
)
def test_a_body_that_is_not_documented_is_refused(
    server: MessagesServer, body: dict[str, Any], status: int, complaint: str
) -> None:
    with (
        ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client,
        pytest.raises(anthropic.APIStatusError, match=complaint) as caught,
    ):
        client.messages.create(**BASE, extra_body=body)

    assert caught.value.status_code == status
    assert server.requests[0].status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"anthropic-version": "2023-06-01"}, 400),
        ({"anthropic-version": anthropic.omit}, 400),
        ({"anthropic-beta": "x-2026"}, 400),
        ({"content-type": "text/plain"}, 400),
        ({"authorization": anthropic.omit}, 401),
        ({"authorization": "Bearer sk-other"}, 401),
        ({"x-api-key": "sk-other"}, 401),
    ],
)
def test_wrong_and_missing_headers_are_refused(server: MessagesServer, headers: dict[str, Any], status: int) -> None:
    with (
        ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        client.messages.create(**BASE, extra_headers=headers)

    assert caught.value.status_code == status


def test_other_paths_do_not_exist(server: MessagesServer) -> None:
    with ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client, pytest.raises(anthropic.NotFoundError):
        client.models.retrieve(BASE["model"])


def test_tokens_are_counted_under_the_same_rules(server: MessagesServer) -> None:
    counted = {"model": BASE["model"], "messages": BASE["messages"]}
    server.scripts_counts = True
    server.will_count(input_tokens=14)

    with ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client:
        assert client.messages.count_tokens(**counted).input_tokens == 14
        with pytest.raises(anthropic.BadRequestError, match="max_tokens: Extra inputs are not permitted"):
            client.messages.count_tokens(**counted, extra_body={"max_tokens": 1})
        with pytest.raises(anthropic.NotFoundError, match="model: claude-sonnet-9"):
            client.messages.count_tokens(**counted | {"model": "claude-sonnet-9"})


def test_a_request_that_nobody_scripted_is_an_error(server: MessagesServer) -> None:
    with (
        ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client,
        pytest.raises(anthropic.InternalServerError, match="not told what to answer"),
    ):
        client.messages.create(**BASE)


def test_the_log_holds_no_secret(server: MessagesServer) -> None:
    server.will_say("Hi")

    with ClaudeEngine(api_key=KEY, base_url=server.url).get_client() as client:
        client.messages.create(**BASE)

    assert server.requests[0].headers["authorization"] == "***"
    assert KEY not in repr(server.requests)
