"""A strict local server that speaks the Messages API, so that tests drive the real SDK over real HTTP.

    with MessagesServer(key="sk-test-1") as server:
        server.will_answer({"title": "Sales"})
        ...  # a client with this key and `server.url`
        assert server.requests[0].body["model"] == "claude-sonnet-5-5"

Every request takes the next of the behaviours set by `will_...`; one that finds none is answered with an error.
"""

import json
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self

from tests.messages_request import (
    COUNT_PATH,
    PATH,
    ApiError,
    CountRequest,
    MessagesRequest,
    check_body,
    check_headers,
)

Json = dict[str, Any]
Ending = Literal["complete", "error", "cut", "end", "stall", "ping"]
Event = tuple[str, Json]

MODELS = frozenset({"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"})
_SECRET_HEADERS = frozenset({"authorization", "x-api-key"})
_FORMS: Mapping[str, type[CountRequest]] = {PATH: MessagesRequest, COUNT_PATH: CountRequest}
_PIECE = 24
# What a block begins with, before its deltas.
_EMPTY: Json = {"text": "", "signature": "", "input": {}}
_USAGE: Json = {
    "input_tokens": 812,
    "output_tokens": 164,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens_details": {"thinking_tokens": 40},
    "service_tier": "standard",
    "inference_geo": "global",
}
# What `message_delta` repeats of the usage, as totals.
_FINAL_USAGE = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens_details",
)


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered: with an error, or with an answer that may end badly."""

    text: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    stop_reason: str = "end_turn"
    # Only a request whose system text has this takes it; None: any.
    to: str | None = None
    category: str | None = None
    usage: Json = field(default_factory=dict)
    error: ApiError | None = None
    ending: Ending = "complete"
    # Events sent before a bad ending; None: not even the headers.
    after: int | None = None


@dataclass(frozen=True)
class LoggedRequest:
    """A request as it came, without its secrets, and the status it was answered with."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json
    status: int
    at: float = field(default_factory=time.monotonic)


class MessagesServer:
    """The API at `url`, for one key; a context manager."""

    def __init__(self, *, key: str) -> None:
        self.key = key
        self.requests: list[LoggedRequest] = []
        # Requests to count tokens are answered with an estimate and kept apart, unless a test scripts them too.
        self.counts: list[LoggedRequest] = []
        self.scripts_counts = False
        # Says what to answer by what is asked, for clients that ask again; else the behaviours are taken in turn.
        self.script: Callable[[CountRequest], Behaviour] | None = None
        self.closing = threading.Event()
        self._behaviours: deque[Behaviour] = deque()
        self._lock = threading.Lock()
        # Of the calls of tools.
        self.ids = count(1)
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self._server.server_port}"

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
        """Answer the next unscripted request so."""
        self._behaviours.append(behaviour)

    def will_answer(self, answer: Json, **usage: Any) -> None:
        """Answer with this JSON."""
        self.will_say(json.dumps(answer), **usage)

    def will_say(self, text: str, *, stop_reason: str = "end_turn", to: str | None = None, **usage: Any) -> None:
        """Answer with this text, whatever the schema asked for."""
        self.will(Behaviour(text=text, stop_reason=stop_reason, to=to, usage=usage))

    def will_call(self, *calls: tuple[str, Json], text: str = "", to: str | None = None, **usage: Any) -> None:
        """Call tools, each by its name and arguments."""
        self.will(Behaviour(text=text, calls=calls, stop_reason="tool_use", to=to, usage=usage))

    def will_count(self, **counts: int) -> None:
        """Answer a request to count tokens with these counts."""
        self.will(Behaviour(usage=counts))

    def will_refuse(self, category: str | None = None, **usage: Any) -> None:
        """Decline to answer."""
        self.will(Behaviour(stop_reason="refusal", category=category, usage=usage))

    def will_fail(self, status: int, type: str, message: str = "scripted", **rest: Any) -> None:  # noqa: A002
        """Answer with an error of HTTP; `code` and `headers` may be given."""
        self.will(Behaviour(error=ApiError(status, type, message, **rest)))

    def will_end(self, ending: Ending, *, after: int | None, text: str = "", error: str = "") -> None:
        """Break off the answer after so many events; `error` is the type of an error inside the stream."""
        inside = ApiError(200, error, "scripted") if error else None
        self.will(Behaviour(text=text, ending=ending, after=after, error=inside))

    @property
    def left(self) -> int:
        """How many behaviours nobody has taken."""
        return len(self._behaviours)

    def next_behaviour(self, request: CountRequest) -> Behaviour:
        """Take the next behaviour that is meant for such a request."""
        told = str(request.system)
        if self.script:
            return self.script(request)
        with self._lock:
            for behaviour in self._behaviours:
                if behaviour.to is None or behaviour.to in told:
                    self._behaviours.remove(behaviour)
                    return behaviour
        return Behaviour(error=ApiError(500, "api_error", "this server was not told what to answer"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: MessagesServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away: that is what it should do when a server stalls."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one write, or a delayed acknowledgement costs 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        api = self.server.api
        request_id = f"req_{len(api.requests) + 1:04}"
        headers = {name.lower(): value for name, value in self.headers.items()}
        raw = self.rfile.read(int(headers.get("content-length", 0)))
        behaviour = Behaviour()
        try:
            request = self._accepted(headers, raw)
            behaviour = _estimate(raw) if self._is_only_counted() else api.next_behaviour(request)
            if behaviour.error and behaviour.error.status != 200:
                raise behaviour.error
        except ApiError as error:
            self._log(api, headers, raw, error.status)
            self._send_json(error.status, error.body(request_id), {"request-id": request_id, **error.headers})
            return
        self._log(api, headers, raw, 200)
        self._answer(request, behaviour, request_id)

    do_POST = do_GET = do_PUT = do_DELETE = _serve  # noqa: N815

    def _accepted(self, headers: Mapping[str, str], raw: bytes) -> CountRequest:
        if self.command != "POST" or self.path not in _FORMS:
            raise ApiError(404, "not_found_error", f"{self.command} {self.path}")
        check_headers(headers, key=self.server.api.key)
        return check_body(raw, _FORMS[self.path], models=MODELS)

    def _log(self, api: MessagesServer, headers: Mapping[str, str], raw: bytes, status: int) -> None:
        safe = {name: "***" if name in _SECRET_HEADERS else value for name, value in headers.items()}
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        log = api.counts if self._is_only_counted() else api.requests
        log.append(LoggedRequest(self.command, self.path, safe, body, status))

    def _is_only_counted(self) -> bool:
        return self.path == COUNT_PATH and not self.server.api.scripts_counts

    def _send_json(self, status: int, body: Json, headers: Mapping[str, str]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(payload)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def _answer(self, request: CountRequest, behaviour: Behaviour, request_id: str) -> None:
        if behaviour.ending != "complete" and behaviour.after is None:
            self._end(behaviour, request_id)
            return
        if not isinstance(request, MessagesRequest):
            self._send_json(200, behaviour.usage, {"request-id": request_id})
            return
        if not request.stream:
            self._send_json(200, _message(request, behaviour, self.server.api.ids), {"request-id": request_id})
            return
        self.send_response(200)
        for name, value in (("content-type", "text/event-stream"), ("transfer-encoding", "chunked")):
            self.send_header(name, value)
        self.send_header("request-id", request_id)
        self.end_headers()
        for event in list(_events(request, behaviour, self.server.api.ids))[: behaviour.after]:
            self._send_event(event)
        self._end(behaviour, request_id)

    def _send_event(self, event: Event) -> None:
        name, data = event
        payload = f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
        self.wfile.write(f"{len(payload):x}\r\n".encode() + payload + b"\r\n")
        self.wfile.flush()

    def _end(self, behaviour: Behaviour, request_id: str) -> None:
        closing = self.server.api.closing
        if behaviour.ending == "stall":
            closing.wait()
        while behaviour.ending == "ping" and not closing.wait(0.02):
            self._send_event(("ping", {"type": "ping"}))
        if behaviour.ending == "error" and behaviour.error:
            self._send_event(("error", behaviour.error.body(request_id)))
        if behaviour.ending in {"complete", "error", "end"}:
            self.wfile.write(b"0\r\n\r\n")
            return
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
        """Keep quiet."""


def _estimate(raw: bytes) -> Behaviour:
    return Behaviour(usage={"input_tokens": len(raw) // 3})


def _message(request: MessagesRequest, behaviour: Behaviour, ids: Iterator[int]) -> Json:
    thinking: Json = {"type": "thinking", "thinking": "", "signature": "c2lnbmVk"}
    text: Json = {"type": "text", "text": behaviour.text, "citations": None}
    said = [text] if behaviour.text else []
    said += [
        {"type": "tool_use", "id": f"toolu_{next(ids):04}", "name": name, "input": arguments}
        for name, arguments in behaviour.calls
    ]
    refusal = {"type": "refusal", "category": behaviour.category, "explanation": None}
    return {
        "id": "msg_0001",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        # Models think by default, so the answer is not the first block.
        "content": [thinking, *said] if said else [],
        "stop_reason": behaviour.stop_reason,
        "stop_sequence": None,
        "stop_details": refusal if behaviour.stop_reason == "refusal" else None,
        "usage": {**_USAGE, **behaviour.usage},
    }


def _events(request: MessagesRequest, behaviour: Behaviour, ids: Iterator[int]) -> Iterator[Event]:
    """Yield the events of a stream in the documented order."""
    message = _message(request, behaviour, ids)
    usage = message["usage"]
    begun = {**usage, "output_tokens": 1}
    begun.pop("output_tokens_details")
    start = {**message, "content": [], "stop_reason": None, "stop_details": None, "usage": begun}
    yield "message_start", {"type": "message_start", "message": start}
    yield "ping", {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty = {key: _EMPTY.get(key, value) for key, value in block.items() if key != "citations"}
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in _deltas(block):
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    stop = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    # A count that is null, or not there, is that of the start.
    final = {**{key: usage[key] for key in _FINAL_USAGE}, "cache_read_input_tokens": None}
    yield "message_delta", {"type": "message_delta", "delta": stop, "usage": final}
    yield "message_stop", {"type": "message_stop"}


def _deltas(block: Json) -> Iterator[Json]:
    if block["type"] == "thinking":
        yield {"type": "signature_delta", "signature": block["signature"]}
        return
    if block["type"] == "tool_use":
        yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        return
    text = block["text"]
    for begin in range(0, len(text), _PIECE):
        yield {"type": "text_delta", "text": text[begin : begin + _PIECE]}
