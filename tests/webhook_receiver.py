"""A strict receiver of webhooks that counts what it is delivered, for callers from any process.

    with WebhookReceiver(drops_repetitions=True) as receiver:
        receiver.will_cut()
        ...  # whoever posts to `receiver.url` is left without an answer, and calls again
        assert receiver.keys == ["maos-1"]

Every request takes the next of the behaviours set by `will_...`; one that finds none is accepted with 200. A request
without a key, of another type, or that is no JSON is answered with 400 and not counted.
"""

import json
import socket
import ssl
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

_DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Delivery:
    """A request that was counted."""

    key: str
    path: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True)
class Behaviour:
    """What becomes of one request: whether it is counted, and how its sender is answered."""

    counted: bool = True
    ending: Literal["answer", "stall", "cut", "drip"] = "answer"
    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class WebhookReceiver:
    """The receiver at `url`; a context manager.

    Args:
        drops_repetitions: whether it keeps keys, and counts each of them once.
    """

    def __init__(self, *, drops_repetitions: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.deliveries: list[Delivery] = []
        self.refused: list[str] = []
        self.dropped: list[str] = []
        self.closing = threading.Event()
        self._drops_repetitions = drops_repetitions
        self._behaviours: deque[Behaviour] = deque()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/hook"

    @property
    def keys(self) -> list[str]:
        """The key of each counted delivery, repetitions included."""
        return [delivery.key for delivery in self.deliveries]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def will(self, behaviour: Behaviour) -> None:
        """Treat the next unscripted request so."""
        self._behaviours.append(behaviour)

    def will_answer(self, status: int, text: str = "", *, counted: bool = False, **headers: str) -> None:
        """Answer with this status; `retry_after="7"` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.will(Behaviour(counted=counted, status=status, text=text, headers=named))

    def will_cut(self, *, counted: bool = True) -> None:
        """Close the connection instead of answering."""
        self.will(Behaviour(counted=counted, ending="cut"))

    def will_stall(self, *, counted: bool = True) -> None:
        """Never answer."""
        self.will(Behaviour(counted=counted, ending="stall"))

    def will_drip(self, *, counted: bool = True) -> None:
        """Answer with a header that does not end, a byte at a time."""
        self.will(Behaviour(counted=counted, ending="drip"))

    def take(self, delivery: Delivery) -> Behaviour:
        """Count a delivery, or drop it, and return how it is answered."""
        with self._lock:
            behaviour = self._behaviours.popleft() if self._behaviours else Behaviour()
            if self._drops_repetitions and delivery.key in self.keys:
                self.dropped.append(delivery.key)
            elif behaviour.counted:
                self.deliveries.append(delivery)
        return behaviour


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, receiver: WebhookReceiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.receiver = receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller that went away: that is what it should do when a receiver stalls."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            delivery = self._delivery(raw)
        except ValueError as error:
            receiver.refused.append(str(error))
            self._answer(Behaviour(status=400, text=str(error)))
            return
        behaviour = receiver.take(delivery)
        if behaviour.ending == "answer":
            self._answer(behaviour)
            return
        if behaviour.ending == "stall":
            receiver.closing.wait()
        if behaviour.ending == "drip":
            self._drip()
        self.connection.shutdown(socket.SHUT_RDWR)

    def _delivery(self, raw: bytes) -> Delivery:
        key = self.headers.get("Idempotency-Key")
        if not key:
            raise ValueError("no Idempotency-Key")
        if self.headers.get("Content-Type") != "application/json":
            raise ValueError("not application/json")
        return Delivery(key, self.path, json.loads(raw), dict(self.headers), raw)

    def _answer(self, behaviour: Behaviour) -> None:
        payload = behaviour.text.encode()
        self.send_response(behaviour.status)
        for name, value in {"Content-Length": str(len(payload)), **behaviour.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not self.server.receiver.closing.wait(_DRIP_SECONDS):
            self.wfile.write(b".")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
        """Keep quiet."""
