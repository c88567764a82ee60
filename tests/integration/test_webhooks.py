"""What becomes of a webhook on the wire: delivered once, certainly not delivered, or honestly unknown."""

import ipaddress
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from blocks.webhooks import Webhooks
from maos.errors import EngineFailure
from maos.failures import FailureKind
from tests.certificates import make_certificate, serving
from tests.scripted_server import ScriptedServer
from tests.webhook_receiver import WebhookReceiver

BODY = b'{"total": 7}'
# A loaded machine keeps a deadline late; one that is not kept is never met, or after the 30 seconds of the block.
SOON = 20


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def post(url: str, *, seconds: float = 5.0, **fields: object) -> int:
    webhooks = Webhooks.model_validate({"allow_private": True} | fields)
    return webhooks.post(url, BODY, key="maos-1", timeout_seconds=seconds)


def failure(url: str, *, seconds: float = 5.0, **fields: object) -> EngineFailure:
    with pytest.raises(EngineFailure) as raised:
        post(url, seconds=seconds, **fields)
    assert raised.value.__cause__ is None
    assert "s3cret" not in str(raised.value)
    return raised.value


# Delivered.


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_a_call_that_is_accepted_is_delivered_with_its_key(receiver: WebhookReceiver, status: int) -> None:
    receiver.will_answer(status, counted=True)

    assert post(f"{receiver.url}?token=s3cret") == status
    (delivery,) = receiver.deliveries
    assert (delivery.key, delivery.path, delivery.body) == ("maos-1", "/hook?token=s3cret", {"total": 7})


def test_a_receiver_that_keeps_keys_counts_a_repetition_once() -> None:
    with WebhookReceiver(drops_repetitions=True) as receiver:
        receiver.will_cut()
        assert failure(receiver.url).kind is FailureKind.INTERRUPTED

        assert post(receiver.url) == 200
        assert (receiver.keys, receiver.dropped) == (["maos-1"], ["maos-1"])


def test_a_call_is_delivered_encrypted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with WebhookReceiver(tls=serving(certificate)) as receiver:
        assert post(receiver.url.replace("127.0.0.1", "localhost")) == 200
        assert post(receiver.url) == 200


def test_an_answer_that_is_too_long_is_not_read_to_its_end(receiver: WebhookReceiver) -> None:
    receiver.will_answer(200, "x" * 5_000_000, counted=True)
    receiver.will_answer(404, "y" * 5_000_000)

    assert post(receiver.url, max_answer_bytes=100) == 200
    assert failure(receiver.url, max_answer_bytes=100).detail.count("y") == 100


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n"], ids=["short", "bad"]
)
def test_an_answer_that_breaks_off_after_its_status_is_still_a_yes(rest: bytes) -> None:
    with ScriptedServer((b"", b"HTTP/1.1 200 OK\r\n" + rest)) as server:
        assert post(f"http://127.0.0.1:{server.port}/") == 200


def test_the_environment_adds_nothing_to_a_call(receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert post(receiver.url) == 200


# Certainly not delivered.


def test_a_receiver_that_is_not_there_is_unreachable() -> None:
    with WebhookReceiver() as gone:
        url = gone.url

    assert failure(f"{url}?token=s3cret").kind is FailureKind.UNREACHABLE


def test_a_host_that_is_not_known_is_unreachable() -> None:
    assert failure("http://no-such-host.invalid/").kind is FailureKind.UNREACHABLE


def test_a_certificate_that_nobody_vouches_for_ends_the_call(certificate: Path) -> None:
    with WebhookReceiver(tls=serving(certificate)) as receiver:
        assert failure(receiver.url).kind is FailureKind.UNREACHABLE
        assert receiver.deliveries == []


def test_a_receiver_that_does_not_shake_hands_in_time_is_unreachable() -> None:
    began = time.monotonic()
    with ScriptedServer((b"", b"\x16\x03\x03\x40\x00"), then="drip") as server:
        assert failure(f"https://127.0.0.1:{server.port}/", seconds=0.3).kind is FailureKind.UNREACHABLE

    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "169.254.169.254"])
def test_private_receivers_are_not_even_asked(receiver: WebhookReceiver, host: str) -> None:
    error = failure(receiver.url.replace("127.0.0.1", host), allow_private=False)

    assert (error.kind, error.retryable) == (FailureKind.NOT_PERMITTED, False)
    assert receiver.deliveries == []


def test_a_public_receiver_is_called(receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blocks.public_addresses.is_public", lambda each: each == ipaddress.ip_address("127.0.0.1"))

    assert post(receiver.url, allow_private=False) == 200


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 409, 422])
def test_a_call_that_is_refused_was_not_delivered(receiver: WebhookReceiver, status: int) -> None:
    receiver.will_answer(status, "no such hook\n", location=receiver.url)

    error = failure(f"{receiver.url}?token=s3cret")

    assert (error.kind, error.retryable) == (FailureKind.BAD_REQUEST, False)
    assert error.detail == f"webhook: {receiver.url} answers {status} no such hook"
    assert receiver.deliveries == []


@pytest.mark.parametrize(("status", "kind"), [(429, FailureKind.RATE_LIMITED), (503, FailureKind.OVERLOADED)])
def test_a_receiver_that_is_busy_says_when_to_come_back(
    receiver: WebhookReceiver, status: int, kind: FailureKind
) -> None:
    receiver.will_answer(status, retry_after="7")
    receiver.will_answer(status, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")

    first, second = failure(receiver.url), failure(receiver.url)

    assert (first.kind, first.retry_after) == (kind, 7.0)
    assert (second.kind, second.retry_after) == (kind, None)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/s3cret", "http://", "s3cret", "http://127.0.0.1:x/s3cret"])
def test_what_is_no_address_is_refused(url: str) -> None:
    assert failure(url).kind is FailureKind.BAD_REQUEST


# Unknown.


@pytest.mark.parametrize("status", [500, 502, 504, 599])
def test_a_receiver_that_fails_leaves_it_open(receiver: WebhookReceiver, status: int) -> None:
    receiver.will_answer(status, counted=True)

    assert failure(receiver.url).kind is FailureKind.INTERRUPTED
    assert receiver.keys == ["maos-1"]


def test_a_connection_that_breaks_instead_of_an_answer_leaves_it_open(receiver: WebhookReceiver) -> None:
    receiver.will_cut()

    assert failure(f"{receiver.url}?token=s3cret").kind is FailureKind.INTERRUPTED
    assert receiver.keys == ["maos-1"]


@pytest.mark.parametrize("answer", [b"", b"hm\r\n", b"HTTP/1.1 200"], ids=["nothing", "noise", "half a line"])
def test_an_answer_that_is_none_leaves_it_open(answer: bytes) -> None:
    with ScriptedServer((b"", answer)) as server:
        assert failure(f"http://127.0.0.1:{server.port}/").kind is FailureKind.INTERRUPTED


@pytest.mark.parametrize("ending", ["stall", "drip"])
def test_a_receiver_that_does_not_answer_in_time_leaves_it_open(receiver: WebhookReceiver, ending: str) -> None:
    {"stall": receiver.will_stall, "drip": receiver.will_drip}[ending]()
    began = time.monotonic()

    assert failure(receiver.url, seconds=2).kind is FailureKind.TIMED_OUT
    assert time.monotonic() - began < SOON
    assert receiver.keys == ["maos-1"]


# The receiver itself.


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"Content-Type": "application/json"}, b"{}", "no Idempotency-Key"),
        ({"Idempotency-Key": "k", "Content-Type": "text/plain"}, b"{}", "not application/json"),
        ({"Idempotency-Key": "k", "Content-Type": "application/json"}, b"{", "Expecting property name"),
    ],
)
def test_the_receiver_counts_only_what_a_strict_one_would(
    receiver: WebhookReceiver, headers: dict[str, str], body: bytes, reason: str
) -> None:
    answer = httpx.post(receiver.url, headers=headers, content=body, trust_env=False)

    assert answer.status_code == 400
    assert receiver.refused[0].startswith(reason)
    assert receiver.deliveries == []


def test_the_receiver_counts_calls_of_other_processes(receiver: WebhookReceiver) -> None:
    code = (
        "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], b'[1]', "
        "{'Idempotency-Key': 'k', 'Content-Type': 'application/json'}))"
    )
    subprocess.run([sys.executable, "-c", code, receiver.url], check=True, env={"no_proxy": "*"})

    assert [(each.key, json.dumps(each.body)) for each in receiver.deliveries] == [("k", "[1]")]


def test_the_block_keeps_its_slug() -> None:
    assert Webhooks.get_block_type_slug() == "webhooks"
    assert not Webhooks().allow_private
