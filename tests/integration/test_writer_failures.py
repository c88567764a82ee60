"""Each way in which the writer does not deliver: its kind, its cost, and that it tells nobody the key."""

import json
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocks.claude import ClaudeEngine
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.usage import TokenUsage
from tests.asking import ANSWER, KEY, PROMPT, USED, ask
from tests.messages_server import Behaviour, Ending, MessagesServer

# What a stream says when it has just begun.
BEGUN = TokenUsage(input_tokens=812, output_tokens=1)
SPENT = "You have reached your specified API usage limits. You will regain access on 2026-12-01."
POOR = "Your credit balance is too low to access the API."
LONG = "prompt is too long: 1000210 tokens > 1000000 maximum"
LIMIT = {"code": "contract_spend_limit_reached"}


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


def failure_of(server: MessagesServer, **fields: Any) -> EngineFailure:
    """Return the failure of one call, which is tried once and tells nobody the key."""
    before = len(server.requests)
    with pytest.raises(EngineFailure) as caught:
        ask(server, **fields)
    told = "".join(traceback.format_exception(caught.value)) + repr(pickle.dumps(caught.value))
    assert KEY not in told
    assert "anthropic._exceptions" not in told
    assert len(server.requests) <= before + 1
    return caught.value


@pytest.mark.parametrize(
    ("status", "error_type", "message", "rest", "kind"),
    [
        (400, "invalid_request_error", "messages: wrong", {}, FailureKind.BAD_REQUEST),
        (400, "invalid_request_error", SPENT, {}, FailureKind.BILLING),
        (400, "invalid_request_error", POOR, {}, FailureKind.BILLING),
        (400, "invalid_request_error", LONG, {}, FailureKind.TOO_LONG),
        (401, "authentication_error", f"no such key: {KEY}", {}, FailureKind.NOT_PERMITTED),
        (402, "billing_error", "pay first", {}, FailureKind.BILLING),
        (403, "permission_error", "not yours", {}, FailureKind.NOT_PERMITTED),
        (404, "not_found_error", "model: claude-sonnet-5-5", {}, FailureKind.BAD_REQUEST),
        (413, "request_too_large", "too many bytes", {}, FailureKind.TOO_LONG),
        (429, "rate_limit_error", "slow down", {}, FailureKind.RATE_LIMITED),
        (429, "rate_limit_error", "spent", LIMIT, FailureKind.BILLING),
        (418, "brewing_error", "unheard of", {}, FailureKind.BAD_REQUEST),
        (500, "api_error", "internal", {}, FailureKind.UNREACHABLE),
        (502, "api_error", "gateway", {}, FailureKind.UNREACHABLE),
        (503, "api_error", "unavailable", {}, FailureKind.OVERLOADED),
        (504, "timeout_error", "too slow", {}, FailureKind.TIMED_OUT),
        (529, "overloaded_error", "overloaded", {}, FailureKind.OVERLOADED),
    ],
)
def test_an_error_of_the_api_has_a_kind_and_costs_nothing(
    server: MessagesServer, status: int, error_type: str, message: str, rest: dict[str, Any], kind: FailureKind
) -> None:
    server.will_fail(status, error_type, message, **rest)

    failure = failure_of(server)

    assert failure.kind is kind
    assert failure.receipt is None
    assert "req_0001" in failure.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("120", 60.0), ("inf", 60.0), ("soon", None), ("-1", None), ("nan", None)]
)
def test_the_servers_wait_is_kept_up_to_a_minute(server: MessagesServer, header: str, seconds: float | None) -> None:
    server.will_fail(429, "rate_limit_error", headers={"retry-after": header})

    assert failure_of(server).retry_after == seconds


@pytest.mark.parametrize(
    ("error_type", "kind"),
    [
        ("overloaded_error", FailureKind.OVERLOADED),
        ("rate_limit_error", FailureKind.RATE_LIMITED),
        ("timeout_error", FailureKind.TIMED_OUT),
        ("api_error", FailureKind.INTERRUPTED),
        ("invalid_request_error", FailureKind.BAD_REQUEST),
    ],
)
def test_an_error_inside_a_stream_is_known_by_its_type(
    server: MessagesServer, error_type: str, kind: FailureKind
) -> None:
    server.will_end("error", after=6, text=json.dumps(ANSWER), error=error_type)

    failure = failure_of(server)

    assert failure.kind is kind
    assert failure.receipt is not None
    assert failure.receipt.usage == BEGUN
    assert not failure.receipt.final


@pytest.mark.parametrize(
    ("ending", "after", "kind"),
    [
        ("cut", None, FailureKind.INTERRUPTED),
        ("cut", 0, FailureKind.INTERRUPTED),
        ("cut", 7, FailureKind.INTERRUPTED),
        ("end", 0, FailureKind.INTERRUPTED),
        ("end", 7, FailureKind.INTERRUPTED),
        ("stall", None, FailureKind.TIMED_OUT),
        ("stall", 7, FailureKind.TIMED_OUT),
        ("ping", 7, FailureKind.TIMED_OUT),
    ],
)
def test_an_answer_that_does_not_come_to_its_end_can_be_asked_for_again(
    server: MessagesServer, ending: Ending, after: int | None, kind: FailureKind
) -> None:
    server.will_end(ending, after=after, text=json.dumps(ANSWER))

    failure = failure_of(server, timeout_seconds=0.4)

    assert failure.kind is kind
    assert failure.retryable
    assert (failure.receipt.usage if failure.receipt else None) == (BEGUN if after else None)


def test_an_answer_cut_after_its_last_count_has_a_final_receipt(server: MessagesServer) -> None:
    server.will_end("end", after=-1, text=json.dumps(ANSWER))

    failure = failure_of(server)

    assert failure.kind is FailureKind.INTERRUPTED
    assert failure.receipt is not None
    assert failure.receipt.final
    assert failure.receipt.usage == USED


@pytest.mark.parametrize(
    ("text", "stop_reason", "kind", "detail"),
    [
        ("", "refusal", FailureKind.DECLINED, "the writer stopped: refusal (cyber)"),
        ('{"headline": "Sa', "max_tokens", FailureKind.TRUNCATED, "the writer stopped: max_tokens"),
        (
            "{",
            "model_context_window_exceeded",
            FailureKind.TOO_LONG,
            "the writer stopped: model_context_window_exceeded",
        ),
        ("{}", "pause_turn", FailureKind.UNUSABLE_OUTPUT, "the writer stopped: pause_turn"),
        ("Sure! canary", "end_turn", FailureKind.UNUSABLE_OUTPUT, "answer: Invalid JSON"),
        ("", "end_turn", FailureKind.UNUSABLE_OUTPUT, "answer: Invalid JSON"),
        ('{"headline": "canary"}', "end_turn", FailureKind.UNUSABLE_OUTPUT, "points: Field required"),
        ('{"headline": 1, "points": []}', "end_turn", FailureKind.UNUSABLE_OUTPUT, "headline: Input should be"),
    ],
)
def test_an_answer_that_cannot_be_used_is_paid_for(
    server: MessagesServer, text: str, stop_reason: str, kind: FailureKind, detail: str
) -> None:
    server.will(Behaviour(text=text, stop_reason=stop_reason, category="cyber"))

    failure = failure_of(server)

    assert failure.kind is kind
    assert not failure.retryable
    assert failure.detail.startswith(detail)
    assert "canary" not in failure.detail
    assert failure.receipt is not None
    assert failure.receipt.usage == USED
    assert failure.receipt.final


def test_a_wrong_key_is_not_permitted_and_not_repeated(server: MessagesServer) -> None:
    failure = failure_of(server, api_key="sk-test-wrong-4711")

    assert failure.kind is FailureKind.NOT_PERMITTED
    assert "sk-test" not in str(failure)
    assert server.requests[0].status == 401


def test_a_server_that_is_not_there_is_unreachable(server: MessagesServer) -> None:
    failure = failure_of(server, base_url="http://127.0.0.1:9")

    assert failure.kind is FailureKind.UNREACHABLE
    assert failure.receipt is None


def test_a_redirect_is_not_followed(server: MessagesServer) -> None:
    with MessagesServer(key=KEY) as other:
        server.will_fail(307, "moved", headers={"location": f"{other.url}/v1/messages"})

        assert failure_of(server).kind is FailureKind.NOT_CONFIGURED
        assert other.requests == []


@pytest.mark.parametrize("address", ["localhost:1234", "http://[::1", "http://"])
def test_an_address_that_is_none_is_not_configured(
    server: MessagesServer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", address)

    assert failure_of(server, base_url=None).kind is FailureKind.NOT_CONFIGURED


def test_a_connected_client_keeps_the_key_to_itself(server: MessagesServer) -> None:
    server.will_fail(401, "authentication_error", f"no such key: {KEY}")

    with pytest.raises(EngineFailure) as caught, ClaudeEngine(api_key=KEY, base_url=server.url).connect() as client:
        client.messages.create(
            model="claude-haiku-5-5", max_tokens=1, messages=[{"role": "user", "content": PROMPT.user}]
        )

    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert "no such key: [key]" in caught.value.detail
