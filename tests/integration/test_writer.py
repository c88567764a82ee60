"""The writer through the real SDK over real HTTP, against the strict local server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocks.claude import ClaudeEngine
from maos.pricing import cost_of
from maos.tariffs import Tariff
from maos.usage import TokenUsage
from maos.writing import governed_by
from tasks.writer import call_writer, writer_ceiling
from tests.asking import ANSWER, KEY, PROMPT, USED, ask
from tests.messages_server import MessagesServer

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("MAOS_ANTHROPIC_API_KEY", "MAOS_ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(key=KEY) as running:
        yield running


def test_an_answer_comes_validated_with_its_exact_usage(server: MessagesServer) -> None:
    server.will_answer(ANSWER)

    reply = ask(server)

    assert reply.answer == ANSWER
    assert reply.usage == USED
    assert reply.final
    assert (reply.model, reply.request_id) == ("claude-sonnet-5-5", "req_0001")
    assert reply.raw_usage["output_tokens_details"] == {"thinking_tokens": 40}


def test_the_request_holds_the_prompt_and_the_strict_schema_and_nothing_else(server: MessagesServer) -> None:
    server.will_answer(ANSWER)

    ask(server, model="opus")

    (request,) = server.requests
    schema = request.body["output_config"]["format"].pop("schema")
    assert request.body == {
        "model": "claude-opus-5-5",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": "You write reports.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "Sales: 104, before: 100 €."}],
        "output_config": {"effort": "low", "format": {"type": "json_schema"}},
        "stream": True,
    }
    assert schema["properties"]["points"] == {
        "type": "array",
        "title": "Points",
        "description": "{maxItems: 6}",
        "items": {"type": "string"},
        "minItems": 1,
    }
    assert schema["required"] == ["headline", "points"]


def test_rules_are_a_cached_block_of_their_own_before_the_rest(server: MessagesServer) -> None:
    server.will_answer(ANSWER)

    call_writer(ClaudeEngine(api_key=KEY, base_url=server.url), governed_by("Be kind.", PROMPT), lambda _: None)

    cached = {"type": "text", "cache_control": {"type": "ephemeral"}}
    assert server.requests[0].body["system"] == [
        {**cached, "text": "Be kind."},
        {**cached, "text": "You write reports."},
    ]


@pytest.mark.parametrize("cached", ["cache_read", "cache_write_5m", "cache_write_1h"])
def test_a_call_that_fills_or_reads_the_cache_costs_no_more_than_its_ceiling(cached: str) -> None:
    engine, prompt = ClaudeEngine(api_key=KEY), governed_by("ü" * 20_000, PROMPT)
    # A token is never shorter than a byte.
    kept = len((prompt.rules + prompt.system).encode())
    usage = TokenUsage(
        **{f"{cached}_tokens": kept}, input_tokens=len(prompt.user.encode()) + 2048, output_tokens=4096, in_region=True
    )

    tariff = Tariff(at=AT)
    assert cost_of(usage, engine.model_id, AT).usd <= writer_ceiling(engine, prompt, tariff)
    assert writer_ceiling(engine, prompt, tariff) > writer_ceiling(engine, PROMPT, tariff)


def test_progress_is_told_without_the_payload(server: MessagesServer) -> None:
    server.will_answer({**ANSWER, "points": ["canary " * 300]})
    told: list[str] = []

    call_writer(ClaudeEngine(api_key=KEY, base_url=server.url), PROMPT, told.append)

    assert told[0] == "the writer has begun"
    assert told[-1] == "the writer is done: 812 tokens in, 164 out"
    assert 3 <= len(told) <= 5
    assert "canary" not in "".join(told)


def test_cached_and_regional_tokens_are_counted_in_their_classes(server: MessagesServer) -> None:
    ages = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}
    server.will_answer(
        ANSWER,
        input_tokens=5,
        output_tokens=7,
        cache_read_input_tokens=40,
        cache_creation_input_tokens=30,
        cache_creation=ages,
        inference_geo="us",
    )

    assert ask(server).usage == TokenUsage(
        input_tokens=5,
        output_tokens=7,
        cache_read_tokens=40,
        cache_write_5m_tokens=20,
        cache_write_1h_tokens=10,
        in_region=True,
    )


def test_key_and_address_may_stay_in_the_settings(server: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", server.url)
    server.will_answer(ANSWER)

    assert ask(server, api_key=None, base_url=None).answer == ANSWER


def test_nothing_of_the_environment_reaches_the_api(server: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ambient")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "sk-ambient")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "authorization: Bearer sk-ambient\nx-api-key: sk-ambient\nx-odd: 1")
    server.will_answer(ANSWER)

    assert ask(server).answer == ANSWER
    assert not {"x-odd", "x-api-key"} & server.requests[0].headers.keys()


def test_a_call_costs_no_more_than_its_ceiling(server: MessagesServer) -> None:
    engine = ClaudeEngine(api_key=KEY, base_url=server.url)
    server.will_answer(ANSWER, input_tokens=len(PROMPT.user.encode()) + 2048, output_tokens=4096)

    reply = call_writer(engine, PROMPT, lambda _: None)

    assert cost_of(reply.usage, engine.model_id, AT).usd <= writer_ceiling(engine, PROMPT, Tariff(at=AT))
