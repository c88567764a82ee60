"""An HTTP client for vendor SDKs: a deadline over the whole call, and no redirects."""

import time
from collections.abc import Iterator

import httpx2
from anthropic import DefaultHttpxClient

_DEADLINE = "maos_deadline"


def client_with_deadline(seconds: float) -> httpx2.Client:
    """Return a client that gives up reading an answer when the call has lasted this long.

    Timeouts of the library are per read: a server that only pings would never meet one.
    """

    def start(request: httpx2.Request) -> None:
        request.extensions[_DEADLINE] = time.monotonic() + seconds

    def bound(response: httpx2.Response) -> None:
        response.stream = _UntilDeadline(response)

    # A redirect would carry the prompt to an address that nobody configured.
    return DefaultHttpxClient(follow_redirects=False, event_hooks={"request": [start], "response": [bound]})


class _UntilDeadline(httpx2.SyncByteStream):
    def __init__(self, response: httpx2.Response) -> None:
        if not isinstance(response.stream, httpx2.SyncByteStream):
            raise TypeError("only synchronous answers have a deadline")
        self._stream = response.stream
        self._request = response.request

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if time.monotonic() > self._request.extensions[_DEADLINE]:
                raise httpx2.ReadTimeout("the call is past its deadline", request=self._request)
            yield chunk

    def close(self) -> None:
        self._stream.close()
