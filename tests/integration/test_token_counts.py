"""The writer's own counter makes ceilings tighter, is asked at most once a call, and is never why a step fails."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from blocks.claude import ClaudeEngine
from maos.tariffs import Tariff
from maos.writing import Prompt, governed_by
from tasks.token_counts import WORTH_COUNTING_BYTES, counted_tokens, tokens_if_worthwhile
from tasks.writer import sent_bytes, writer_ceiling
from tests.messages_server import MessagesServer

KEY = "gateway.canary+7f3a"


class Answer(BaseModel):
    """What is asked for."""

    text: str


LONG = Prompt(system="You write.", user="Sales rose. " * 1000, answer=Answer)
SHORT = Prompt(system="You write.", user="Sales rose.", answer=Answer)
TARIFF = Tariff(at=datetime(2026, 11, 20, tzinfo=UTC))


def _tightest_ceiling(engine: ClaudeEngine, prompt: Prompt, tariff: Tariff) -> Decimal:
    return writer_ceiling(engine, prompt, tariff, counted_tokens=tokens_if_worthwhile(engine, prompt))


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(key=KEY) as running:
        running.scripts_counts = True
        yield running


def _engine(server: MessagesServer, **fields: Any) -> ClaudeEngine:
    return ClaudeEngine(**{"api_key": KEY, "base_url": server.url, "timeout_seconds": 5, **fields})


def test_everything_that_will_be_sent_is_counted(server: MessagesServer) -> None:
    server.will_count(input_tokens=2900)

    assert counted_tokens(_engine(server), governed_by("Be kind.", LONG)) == 2900
    (request,) = server.requests
    assert request.path == "/v1/messages/count_tokens"
    assert [block["text"] for block in request.body["system"]] == ["Be kind.", LONG.system]
    assert request.body["messages"][0]["content"] == LONG.user
    assert request.body["output_config"]["format"]["schema"]["properties"].keys() == {"text"}


def test_a_counted_prompt_has_a_tighter_ceiling_and_is_counted_once(server: MessagesServer) -> None:
    server.will_count(input_tokens=2900)
    engine = _engine(server)

    tight = _tightest_ceiling(engine, LONG, TARIFF)

    assert tight == writer_ceiling(engine, LONG, TARIFF, counted_tokens=2900)
    assert tight < writer_ceiling(engine, LONG, TARIFF)
    assert len(server.requests) == 1


def test_a_short_prompt_is_not_worth_a_request(server: MessagesServer) -> None:
    engine = _engine(server)

    assert sent_bytes(engine, SHORT) < WORTH_COUNTING_BYTES < sent_bytes(engine, LONG)
    assert _tightest_ceiling(engine, SHORT, TARIFF) == writer_ceiling(engine, SHORT, TARIFF)
    assert server.requests == []


@pytest.mark.parametrize("status", [400, 401, 404, 413, 429, 500, 529])
def test_whatever_the_counter_answers_the_bytes_count(server: MessagesServer, status: int) -> None:
    server.will_fail(status, "api_error")
    engine = _engine(server)

    assert _tightest_ceiling(engine, LONG, TARIFF) == writer_ceiling(engine, LONG, TARIFF)
    assert len(server.requests) == 1


@pytest.mark.parametrize("counts", [{}, {"output_tokens": 5}, {"input_tokens": True}])
def test_an_answer_without_a_count_is_none(server: MessagesServer, counts: dict[str, int]) -> None:
    server.will_count(**counts)

    assert counted_tokens(_engine(server), LONG) is None


def test_a_counter_that_says_nothing_is_not_waited_for(server: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.token_counts._PATIENCE_SECONDS", 0.3)
    server.will_end("stall", after=None)

    assert counted_tokens(_engine(server, timeout_seconds=60), LONG) is None


def test_a_counter_that_is_not_there_is_none() -> None:
    assert counted_tokens(ClaudeEngine(api_key=KEY, base_url="http://127.0.0.1:9"), LONG) is None


@pytest.mark.parametrize("tokens", [0, 1, -7])
def test_a_count_that_no_text_has_is_not_believed(server: MessagesServer, tokens: int) -> None:
    server.will_count(input_tokens=tokens)
    engine = _engine(server)

    assert _tightest_ceiling(engine, LONG, TARIFF) == writer_ceiling(engine, LONG, TARIFF)
