"""One HTTP call of the image engine: its deadline, and how far it came."""

from collections.abc import Mapping
from typing import Any

import httpx2

from blocks.cutoff import Cutoff
from maos.failures import FailureKind

# An image of 1K is some megabytes; more is no answer to what was asked.
_LONGEST_ANSWER_BYTES = 64 * 1024 * 1024
_CONNECT_SECONDS = 10.0


class GeminiCall:
    """Whether a request began, and whether its time is up."""

    def __init__(self, cutoff: Cutoff) -> None:
        self._cutoff = cutoff
        self._begun = False

    def http_client(self, seconds: float) -> httpx2.Client:
        """Return a client that takes nothing from the environment, follows no redirect and ends with the cutoff."""

        def begin(request: httpx2.Request) -> None:
            request.extensions["trace"] = self._note
            request.extensions["timeout"]["connect"] = min(seconds, _CONNECT_SECONDS)

        def bound(response: httpx2.Response) -> None:
            response.stream = _Bounded(response)

        return httpx2.Client(
            # A proxy of the environment would read the prompt; a login of a .netrc would be sent along.
            trust_env=False,
            # A redirect would carry the prompt and the key to an address that nobody configured.
            follow_redirects=False,
            timeout=seconds,
            event_hooks={"request": [begin], "response": [bound]},
        )

    # Any: the facts of an event depend on its name, as the library documents them.
    def _note(self, event: str, facts: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._cutoff.watch(facts["return_value"].get_extra_info("socket"))
        if event.endswith(".send_request_headers.started"):
            self._begun = True

    def kind_of(self, error: Exception) -> FailureKind:
        """Say what a broken call means: before the request began, nothing was asked for and nothing is owed."""
        if not self._begun:
            return FailureKind.UNREACHABLE
        timed_out = self._cutoff.expired or isinstance(error, httpx2.TimeoutException)
        return FailureKind.TIMED_OUT if timed_out else FailureKind.INTERRUPTED


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, response: httpx2.Response) -> None:
        if not isinstance(response.stream, httpx2.SyncByteStream):
            raise TypeError("only synchronous answers have a limit")
        self._stream = response.stream

    def __iter__(self) -> Any:
        read = 0
        for chunk in self._stream:
            read += len(chunk)
            if read > _LONGEST_ANSWER_BYTES:
                raise httpx2.ReadError(f"the answer is longer than {_LONGEST_ANSWER_BYTES:,} bytes")
            yield chunk

    def close(self) -> None:
        self._stream.close()
