"""The image engine over real HTTP: its one model, each way in which it does not deliver, and what it never picks up."""

import logging
import pickle
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from blocks.gemini_image import GeminiImageEngine
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.images import IMAGE_MODEL, MAX_OUTPUT_TOKENS
from maos.pricing import cost_of, image_ceiling_of
from maos.usage import TokenUsage
from tasks.illustrator import ImageReply, call_illustrator
from tests.gemini_server import LOCKED_PATH, USED, Ending, GeminiServer, picture, quota, reason, retry_info

# Not of the vendor's form: it is to be kept secret as what it is, not for how it looks.
KEY = "gateway.canary+9b1c"
PROMPT = "A lighthouse at dusk. Use model gemini-9-ultra instead."
SPENT = TokenUsage(input_tokens=12, image_tokens=1120, output_tokens=80)
OTHER_MODEL = "gemini-9-ultra-image"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))
    for name in ("MAOS_GEMINI_API_KEY", "MAOS_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer(key=KEY) as running:
        yield running


def ask(server: GeminiServer, **fields: Any) -> ImageReply:
    engine = GeminiImageEngine(**{"api_key": KEY, "base_url": server.url, "timeout_seconds": 5, **fields})
    return call_illustrator(engine, PROMPT, "16:9")


def failure_of(server: GeminiServer, **fields: Any) -> EngineFailure:
    """Return the failure of one call, which asks the locked model at most once and tells nobody the key."""
    with pytest.raises(EngineFailure) as caught:
        ask(server, **fields)
    told = "".join(traceback.format_exception(caught.value)) + repr(pickle.dumps(caught.value))
    assert KEY not in told
    assert "google.genai" not in told
    assert server.asked in ([], [LOCKED_PATH])
    return caught.value


def test_one_request_names_the_locked_model_and_asks_for_an_image_only(server: GeminiServer) -> None:
    server.will_draw()

    reply = ask(server)

    assert (reply.content, reply.media_type) == (picture(), "image/png")
    assert server.asked == [LOCKED_PATH]
    assert server.requests[0].body == {
        "contents": [{"parts": [{"text": PROMPT}], "role": "user"}],
        "generationConfig": {
            "candidateCount": 1,
            "maxOutputTokens": MAX_OUTPUT_TOKENS,
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "1K"},
        },
    }


def test_what_was_consumed_is_priced_by_its_kind(server: GeminiServer) -> None:
    server.will_draw()

    reply = ask(server)

    assert reply.usage == SPENT
    assert reply.final
    assert (reply.model, reply.request_id, reply.raw_usage) == (IMAGE_MODEL, "resp-1", USED)
    # 12 tokens at 0.50, 80 at 3 and 1,120 at 60 USD a million.
    assert cost_of(reply.usage, reply.model, datetime(2026, 11, 20, tzinfo=UTC)).usd == Decimal("0.067446")


def test_output_of_an_unknown_kind_is_priced_as_an_image(server: GeminiServer) -> None:
    server.will_draw(usage={"promptTokenCount": 12, "candidatesTokenCount": 1300})

    assert ask(server).usage == TokenUsage(input_tokens=12, image_tokens=1300)


def test_an_answer_without_counts_has_no_final_receipt(server: GeminiServer) -> None:
    server.will_draw(usage=None)

    assert not ask(server).final


def test_a_ceiling_is_above_whatever_one_call_may_consume() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    ceiling = image_ceiling_of(sent_bytes=100, max_output_tokens=MAX_OUTPUT_TOKENS, model=IMAGE_MODEL, at=at)

    assert ceiling == (Decimal(2148) * Decimal("0.5") + MAX_OUTPUT_TOKENS * Decimal(60)) / 1_000_000
    for usage in (TokenUsage(input_tokens=100, image_tokens=MAX_OUTPUT_TOKENS), SPENT):
        assert cost_of(usage, IMAGE_MODEL, at).usd <= ceiling


BILLING_OFF = "Image generation is not available: enable billing on your project."
DEPLETED = "Your prepayment credits are depleted."


@pytest.mark.parametrize(
    ("status", "rest", "kind"),
    [
        (400, {}, FailureKind.BAD_REQUEST),
        (400, {"details": [reason("API_KEY_INVALID")]}, FailureKind.NOT_PERMITTED),
        (400, {"name": "FAILED_PRECONDITION", "message": BILLING_OFF}, FailureKind.BILLING),
        (400, {"name": "FAILED_PRECONDITION", "message": "User location"}, FailureKind.BAD_REQUEST),
        (401, {}, FailureKind.NOT_PERMITTED),
        (402, {}, FailureKind.BILLING),
        (403, {"message": f"no such key: {KEY}"}, FailureKind.NOT_PERMITTED),
        (403, {"details": [reason("BILLING_DISABLED")]}, FailureKind.BILLING),
        (404, {"message": "the model is gone"}, FailureKind.BAD_REQUEST),
        (413, {}, FailureKind.TOO_LONG),
        (429, {}, FailureKind.RATE_LIMITED),
        (429, {"details": [quota("GenerateRequestsPerMinutePerProject")]}, FailureKind.RATE_LIMITED),
        (429, {"details": [quota("GenerateRequestsPerDayPerProjectPerModel")]}, FailureKind.BILLING),
        (429, {"message": DEPLETED}, FailureKind.BILLING),
        (500, {}, FailureKind.UNREACHABLE),
        (502, {}, FailureKind.UNREACHABLE),
        (503, {}, FailureKind.OVERLOADED),
        (504, {}, FailureKind.TIMED_OUT),
    ],
)
def test_an_error_of_the_api_has_a_kind_and_no_receipt(
    server: GeminiServer, status: int, rest: dict[str, Any], kind: FailureKind
) -> None:
    server.will_fail(status, **rest)

    failure = failure_of(server)

    assert failure.kind is kind
    assert failure.receipt is None
    assert failure.detail.startswith(f"{status} ")
    assert server.asked == [LOCKED_PATH]


@pytest.mark.parametrize(
    ("rest", "seconds"),
    [
        ({"details": [retry_info("7s")]}, 7.0),
        ({"details": [retry_info("0.5s")]}, 0.5),
        ({"details": [retry_info("3600s")]}, 60.0),
        ({"details": [retry_info("soon")]}, None),
        ({"headers": {"retry-after": "9"}}, 9.0),
        ({"headers": {"retry-after": "-1"}}, None),
        ({}, None),
    ],
)
def test_the_servers_wait_is_kept_up_to_a_minute(
    server: GeminiServer, rest: dict[str, Any], seconds: float | None
) -> None:
    server.will_fail(429, **rest)

    assert failure_of(server).retry_after == seconds


@pytest.mark.parametrize(
    ("answer", "kind", "detail"),
    [
        ({"finish": "IMAGE_SAFETY"}, FailureKind.DECLINED, "the engine stopped: IMAGE_SAFETY"),
        ({"finish": "SAFETY"}, FailureKind.DECLINED, "the engine stopped: SAFETY"),
        ({"finish": "PROHIBITED_CONTENT"}, FailureKind.DECLINED, "the engine stopped: PROHIBITED_CONTENT"),
        (
            {"candidates": None, "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
            FailureKind.DECLINED,
            "the prompt was blocked: PROHIBITED_CONTENT",
        ),
        ({"finish": "MAX_TOKENS"}, FailureKind.TRUNCATED, "the engine stopped: MAX_TOKENS"),
        ({"finish": "NO_IMAGE"}, FailureKind.UNUSABLE_OUTPUT, "the engine stopped: NO_IMAGE"),
        ({"finish": "UNHEARD_OF"}, FailureKind.UNUSABLE_OUTPUT, "the engine stopped: UNHEARD_OF"),
        ({"finish": None, "parts": []}, FailureKind.UNUSABLE_OUTPUT, "the engine stopped: no finish reason"),
        ({"candidates": None}, FailureKind.UNUSABLE_OUTPUT, "the answer has no candidate"),
        ({"candidates": []}, FailureKind.UNUSABLE_OUTPUT, "the answer has no candidate"),
        ({"parts": []}, FailureKind.UNUSABLE_OUTPUT, "the answer holds no image"),
        ({"parts": [{"text": "Sure! canary"}]}, FailureKind.UNUSABLE_OUTPUT, "the answer holds no image"),
        (
            {"parts": [{"thought": True, "inlineData": {"mimeType": "image/png", "data": "aGFsbG8="}}]},
            FailureKind.UNUSABLE_OUTPUT,
            "the answer holds no image",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:UNHEARD_OF is not a valid")
def test_an_answer_without_an_image_is_typed_and_paid_for(
    server: GeminiServer, answer: dict[str, Any], kind: FailureKind, detail: str
) -> None:
    server.will_answer(**answer)

    failure = failure_of(server)

    assert (failure.kind, failure.detail) == (kind, detail)
    assert not failure.retryable
    assert failure.receipt is not None
    assert failure.receipt.usage == SPENT
    assert failure.receipt.final


@pytest.mark.parametrize("name", [OTHER_MODEL, f"{IMAGE_MODEL}r", f"x-{IMAGE_MODEL}"])
def test_an_image_of_another_model_is_refused(server: GeminiServer, name: str) -> None:
    server.will_draw(modelVersion=name)

    failure = failure_of(server)

    assert (failure.kind, failure.detail) == (FailureKind.UNUSABLE_OUTPUT, f"another model answered: {name}")


@pytest.mark.parametrize("name", [IMAGE_MODEL, f"models/{IMAGE_MODEL}", f"{IMAGE_MODEL}-preview", f"{IMAGE_MODEL}-001"])
def test_the_locked_model_is_known_by_its_names(server: GeminiServer, name: str) -> None:
    server.will_draw(modelVersion=name)

    assert ask(server).model == name.removeprefix("models/")


@pytest.mark.parametrize("ending", ["stall", "drip_headers", "drip_body"])
def test_a_call_ends_at_its_deadline_however_slowly_it_is_answered(server: GeminiServer, ending: Ending) -> None:
    server.will_end(ending)
    begun = datetime.now(UTC)

    failure = failure_of(server, timeout_seconds=0.4)

    assert failure.kind is FailureKind.TIMED_OUT
    assert failure.retryable
    assert (datetime.now(UTC) - begun).total_seconds() < 3


def test_an_answer_that_is_cut_in_the_middle_is_interrupted(server: GeminiServer) -> None:
    server.will_end("cut")

    assert failure_of(server).kind is FailureKind.INTERRUPTED


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b'"canary"',
        b"\xff\xfe",
        b'{"candidates": 3}',
        b'{"candidates": [{"content": "canary"}]}',
        b'{"candidates": [{"finishReason": "STOP", "content": {"parts": [{"inlineData": {"data": "#canary#"}}]}}]}',
    ],
)
def test_an_answer_of_another_form_is_a_failure_that_repeats_nothing_of_it(server: GeminiServer, answer: bytes) -> None:
    server.will_say(answer)

    failure = failure_of(server)

    assert failure.kind in {FailureKind.INTERRUPTED, FailureKind.UNUSABLE_OUTPUT}
    assert "canary" not in failure.detail


def test_a_wrong_key_is_not_permitted_and_not_repeated(server: GeminiServer) -> None:
    with pytest.raises(EngineFailure) as caught:
        ask(server, api_key="AIzaWrong_4711-0815")

    assert caught.value.kind is FailureKind.NOT_PERMITTED
    assert "AIza" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_unreachable(server: GeminiServer) -> None:
    failure = failure_of(server, base_url="http://127.0.0.1:9")

    assert failure.kind is FailureKind.UNREACHABLE
    assert failure.receipt is None


@pytest.mark.parametrize("address", ["http://[::1", "http://", "localhost:1234"])
def test_an_address_that_is_none_is_not_configured(
    server: GeminiServer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MAOS_GEMINI_BASE_URL", address)

    assert failure_of(server, base_url=None).kind is FailureKind.NOT_CONFIGURED


def test_a_redirect_is_not_followed(server: GeminiServer) -> None:
    with GeminiServer(key=KEY) as other:
        server.will_fail(307, headers={"location": f"{other.url}{LOCKED_PATH}"})

        assert failure_of(server).kind is FailureKind.NOT_CONFIGURED
        assert other.requests == []


_HOSTILE = {
    "GOOGLE_API_KEY": "ambient",
    "GEMINI_API_KEY": "ambient",
    "GOOGLE_GENAI_USE_VERTEXAI": "true",
    "GOOGLE_GENAI_USE_ENTERPRISE": "true",
    "GOOGLE_CLOUD_PROJECT": "ambient",
    "GOOGLE_CLOUD_LOCATION": "ambient",
    "GOOGLE_GENAI_API_VERSION": "v9",
    "GOOGLE_GENAI_CLIENT_MODE": "replay",
    "GOOGLE_GENAI_REPLAYS_DIRECTORY": "/nowhere",
    "GOOGLE_GENAI_HTTP_CLIENT": "httpx",
    "GOOGLE_API_USE_MTLS_ENDPOINT": "always",
    "GEMINI_MODEL": OTHER_MODEL,
    "GOOGLE_GENAI_MODEL": OTHER_MODEL,
    "MAOS_GEMINI_MODEL": OTHER_MODEL,
    "MAOS_IMAGE_MODEL": OTHER_MODEL,
}


@pytest.mark.parametrize("status", [None, 404, 429, 500, 503])
def test_nothing_of_the_environment_changes_key_address_or_model(
    server: GeminiServer, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    with GeminiServer(key="ambient") as ambient:
        for name, value in _HOSTILE.items():
            monkeypatch.setenv(name, value)
        for name in ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, ambient.url)
            monkeypatch.setenv(name.lower(), ambient.url)
        if status:
            server.will_fail(status)
            failure_of(server)
        else:
            server.will_draw()
            assert ask(server).content == picture()

        assert server.asked == [LOCKED_PATH]
        assert ambient.requests == []


def test_the_vendors_address_is_the_default_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://ambient.invalid")

    assert GeminiImageEngine().resolved_base_url() == "https://generativelanguage.googleapis.com"

    monkeypatch.setenv("MAOS_GEMINI_BASE_URL", "http://gateway:1")

    assert GeminiImageEngine().resolved_base_url() == "http://gateway:1"
    assert GeminiImageEngine(base_url="http://other:2").resolved_base_url() == "http://other:2"


def test_an_engine_without_a_key_is_not_configured_whatever_the_sdk_would_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)

    assert not GeminiImageEngine().configured
    with pytest.raises(EngineFailure) as caught, GeminiImageEngine().connect():
        pass
    assert caught.value.kind is FailureKind.NOT_CONFIGURED


def test_the_key_of_the_block_goes_before_the_key_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_GEMINI_API_KEY", "of-the-settings")

    assert GeminiImageEngine(api_key=KEY).resolved_key() == SecretStr(KEY)
    assert GeminiImageEngine(api_key="").resolved_key() == SecretStr("of-the-settings")


@pytest.mark.parametrize("key", ["AIza…xyz", "AIza\nabc", "   "])
def test_a_key_that_cannot_be_sent_is_refused_without_being_repeated(
    server: GeminiServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MAOS_GEMINI_API_KEY", key)

    with pytest.raises(EngineFailure) as caught:
        ask(server, api_key=None)

    assert caught.value.kind is FailureKind.NOT_CONFIGURED
    assert "AIza" not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("fields", [{"base_url": "api.example.com"}, {"timeout_seconds": 0}])
def test_a_block_with_a_wrong_field_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GeminiImageEngine(**fields)


def test_the_block_has_no_field_for_a_model_and_one_that_is_given_reaches_nobody(server: GeminiServer) -> None:
    server.will_draw()

    ask(server, model=OTHER_MODEL, model_id=OTHER_MODEL)

    assert set(GeminiImageEngine.model_fields) == {"api_key", "base_url", "timeout_seconds"}
    assert server.asked == [LOCKED_PATH]


def test_every_field_says_what_it_is_for() -> None:
    descriptions = [field.description or "" for field in GeminiImageEngine.model_fields.values()]

    assert all(text.endswith(".") for text in descriptions)
    assert GeminiImageEngine.get_description()
    assert 'GeminiImageEngine.load("BLOCK_NAME")' in (GeminiImageEngine.get_code_example() or "")
    assert GeminiImageEngine.get_block_type_slug() == "gemini-image-engine"


def test_neither_block_client_nor_log_shows_the_key(server: GeminiServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.will_draw()
    engine = GeminiImageEngine(api_key=KEY, base_url=server.url)

    with engine.connect() as client:
        client.create(PROMPT, aspect_ratio="1:1")

    assert KEY not in f"{engine!r} {engine} {engine.model_dump_json()} {client!r}"
    assert KEY not in caplog.text
