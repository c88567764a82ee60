"""How receivers of webhooks are called: limits, and which hosts may be called."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from blocks.cutoff import Cutoff
from blocks.logos import CALL
from blocks.public_addresses import CheckedTransport, NotPublic, without_secrets
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.labels import printable

_KINDS = {429: FailureKind.RATE_LIMITED, 503: FailureKind.OVERLOADED}


class Webhooks(Block):
    """Limits of calls to receivers of webhooks."""

    _block_type_name = "Webhooks"
    _block_type_slug = "webhooks"
    _description = "Limits of webhooks that runs call over http and https."
    _logo_url = CALL
    _documentation_url = HttpUrl("https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/")
    _code_example = """\
```python
from blocks.webhooks import Webhooks

webhooks = Webhooks.load("BLOCK_NAME")
status = webhooks.post("https://example.com/hook", b"{}", key="run-1", timeout_seconds=10)
```"""

    allow_private: bool = Field(default=False, description="Whether receivers on private networks may be called.")
    timeout_seconds: float = Field(
        default=30.0, gt=0, title="Timeout", description="Seconds that one call may take in all."
    )
    max_answer_bytes: int = Field(
        default=65_536, ge=0, description="How much of an answer is read, in bytes; the rest is dropped."
    )

    def post(
        self,
        url: str,
        body: bytes,
        *,
        key: str,
        timeout_seconds: float,
        signature: Mapping[str, str] | None = None,
    ) -> int:
        """Deliver a JSON body once and return the status it is accepted with.

        Args:
            key: sent as `Idempotency-Key`, by which a receiver knows a repetition.
            signature: headers by which a receiver knows who calls.

        Raises:
            EngineFailure: INTERRUPTED and TIMED_OUT mean that it may have been delivered; every other kind, that it
                was not.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, **(signature or {})}
        seconds = min(timeout_seconds, self.timeout_seconds)
        with Cutoff(seconds) as cutoff:
            call = _Call(cutoff)
            with (
                _failing(url, call),
                self._client(seconds) as client,
                client.stream("POST", url, content=body, headers=headers, extensions={"trace": call.note}) as answer,
            ):
                said = self._beginning_of(answer)
        if not answer.is_success:
            raise _refusal(url, answer, said)
        return answer.status_code

    def _client(self, seconds: float) -> httpx.Client:
        return httpx.Client(
            transport=CheckedTransport(allow_private=self.allow_private),
            timeout=seconds,
            # A redirect would carry the body to an address that nobody approved.
            follow_redirects=False,
            # A proxy would resolve names on its own, behind the check.
            trust_env=False,
            headers={"User-Agent": "maos", "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    def _beginning_of(self, answer: httpx.Response) -> bytes:
        received = bytearray()
        # The status has said it all: an answer that breaks off after it changes nothing.
        with suppress(httpx.HTTPError):
            for chunk in answer.iter_raw():
                received += chunk
                if len(received) >= self.max_answer_bytes:
                    break
        return bytes(received[: self.max_answer_bytes])


class _Call:
    """How far one call has come."""

    def __init__(self, cutoff: Cutoff) -> None:
        self.cutoff = cutoff
        self.begun = False

    # Any: the facts of an event depend on its name, as the library documents them.
    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take up what the transport says it does."""
        if event == "connection.connect_tcp.complete":
            self.cutoff.watch(facts["return_value"].get_extra_info("socket"))
        if event == "http11.send_request_headers.started":
            self.begun = True

    def failure_kind(self, error: httpx.HTTPError) -> FailureKind:
        """Say what a broken call means: before the request began, nothing was delivered."""
        if not self.begun:
            return FailureKind.UNREACHABLE
        timed_out = self.cutoff.expired or isinstance(error, httpx.TimeoutException)
        return FailureKind.TIMED_OUT if timed_out else FailureKind.INTERRUPTED


@contextmanager
def _failing(url: str, call: _Call) -> Iterator[None]:
    """Turn what goes wrong on the network into an `EngineFailure`."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise EngineFailure(FailureKind.BAD_REQUEST, "webhook: not an http:// or https:// address") from None
    except NotPublic:
        raise _failure(FailureKind.NOT_PERMITTED, url, "is not on the public internet") from None
    except httpx.HTTPError as error:
        # Not chained: the error keeps the request with the whole address, which may hold a secret.
        raise _failure(call.failure_kind(error), url, f"does not answer: {printable(str(error), 200)}") from None


def _refusal(url: str, answer: httpx.Response, said: bytes) -> EngineFailure:
    status = answer.status_code
    certain = FailureKind.BAD_REQUEST if 300 <= status < 500 else FailureKind.INTERRUPTED
    words = f"answers {status} {printable(said.decode(errors='replace'), 200)}".rstrip()
    wait = answer.headers.get("Retry-After", "")
    retry_after = float(wait) if wait.isdecimal() and len(wait) < 6 else None
    return _failure(_KINDS.get(status, certain), url, words, retry_after=retry_after)


def _failure(kind: FailureKind, url: str, what: str, *, retry_after: float | None = None) -> EngineFailure:
    return EngineFailure(kind, f"webhook: {without_secrets(url)} {what}", retry_after=retry_after)
