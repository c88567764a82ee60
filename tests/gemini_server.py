"""A strict local server that speaks `generateContent`, so that tests drive the real SDK over real HTTP.

    with GeminiServer(key="test-key") as server:
        server.will_draw()
        ...  # an engine with this key and `server.url`
        assert server.asked == [LOCKED_PATH]

Every request takes the next of the behaviours set by `will_...`; one that finds none is answered with an error.
"""

import base64
import json
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from types import TracebackType
from typing import Any, Literal, Self

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from maos.images import IMAGE_MODEL, MOST_REFERENCES

Json = dict[str, Any]
Ending = Literal["complete", "cut", "stall", "drip_headers", "drip_body"]

MODEL_PATH = f"/v1beta/models/{IMAGE_MODEL}"
LOCKED_PATH = f"{MODEL_PATH}:generateContent"
USED: Json = {
    "promptTokenCount": 12,
    "candidatesTokenCount": 1120,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
    "thoughtsTokenCount": 80,
    "totalTokenCount": 1212,
}
_SECRET_HEADERS = frozenset({"authorization", "x-goog-api-key"})
_STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_STATUSES |= {402: "RESOURCE_EXHAUSTED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return the bytes of a small image."""
    target = BytesIO()
    Image.new("RGB", size, "teal").save(target, format=kind)
    return target.getvalue()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Text(_Strict):
    text: str = Field(min_length=1)


class _Blob(_Strict):
    # As the SDK writes both: JSON of protocol buffers takes either spelling of a field, and either alphabet of base64.
    mime_type: Literal["image/png"]
    data: str

    @field_validator("data")
    @classmethod
    def _is_a_whole_picture(cls, data: str) -> str:
        with Image.open(BytesIO(base64.urlsafe_b64decode(data)), formats=["PNG"]) as image:
            if max(image.size) > 1024 or image.info:
                raise ValueError("a picture of at most 1024 pixels, and nothing but the picture")
            image.load()
        return data


class _Picture(_Strict):
    inlineData: _Blob  # noqa: N815


class _Content(_Strict):
    parts: list[_Text | _Picture] = Field(min_length=1, max_length=1 + MOST_REFERENCES)
    role: Literal["user"]

    @field_validator("parts")
    @classmethod
    def _prompt_first(cls, parts: list[_Text | _Picture]) -> list[_Text | _Picture]:
        if [isinstance(part, _Text) for part in parts] != [True, *[False] * (len(parts) - 1)]:
            raise ValueError("one prompt, then pictures")
        return parts


class _ImageConfig(_Strict):
    aspectRatio: Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "21:9"]  # noqa: N815 - as it is sent
    imageSize: Literal["1K"]  # noqa: N815


class _GenerationConfig(_Strict):
    candidateCount: Literal[1]  # noqa: N815
    maxOutputTokens: int = Field(ge=1, le=32_768)  # noqa: N815
    responseModalities: list[Literal["IMAGE"]] = Field(min_length=1, max_length=1)  # noqa: N815
    imageConfig: _ImageConfig  # noqa: N815


class ContentRequest(_Strict):
    """The body of a request."""

    contents: list[_Content] = Field(min_length=1, max_length=1)
    generationConfig: _GenerationConfig  # noqa: N815


@dataclass(eq=False)
class ApiError(Exception):
    """An error as the API answers it."""

    status: int
    message: str = "scripted"
    name: str = ""
    details: list[Json] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> Json:
        """Return the JSON that describes the error."""
        name = self.name or _STATUSES.get(self.status, "UNKNOWN")
        return {"error": {"code": self.status, "message": self.message, "status": name, "details": self.details}}


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered."""

    answer: bytes = b""
    error: ApiError | None = None
    ending: Ending = "complete"


@dataclass(frozen=True)
class LoggedRequest:
    """A request as it came, without its secrets, and the status it was answered with."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json
    status: int
    at: float = field(default_factory=time.monotonic)


class GeminiServer:
    """The API at `url`, for one key; a context manager."""

    def __init__(self, *, key: str) -> None:
        self.key = key
        self.requests: list[LoggedRequest] = []
        self.closing = threading.Event()
        self._behaviours: deque[Behaviour] = deque()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def asked(self) -> list[str]:
        """The path of every request: it names the model."""
        return [request.path for request in self.requests]

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

    def will_draw(self, content: bytes | None = None, media_type: str = "image/png", **rest: Any) -> None:
        """Answer with an image."""
        data = base64.b64encode(picture() if content is None else content).decode()
        self.will_answer(parts=[{"inlineData": {"mimeType": media_type, "data": data}}], **rest)

    def will_answer(
        self,
        *,
        parts: list[Json] | None = None,
        finish: str | None = "STOP",
        usage: Json | None = USED,
        **top: Any,
    ) -> None:
        """Answer with a candidate of these parts; further fields replace those of the answer, None leaves one out."""
        candidate: Json = {"index": 0} | ({"finishReason": finish} if finish else {})
        if parts is not None:
            candidate["content"] = {"role": "model", "parts": parts}
        answer = {"candidates": [candidate], "modelVersion": IMAGE_MODEL, "responseId": "resp-1"}
        answer |= {"usageMetadata": usage} | top
        self.will_say(json.dumps({name: value for name, value in answer.items() if value is not None}).encode())

    def will_be_looked_up(self, name: str = f"models/{IMAGE_MODEL}") -> None:
        """Answer with what is known of a model."""
        self.will_say(json.dumps({"name": name, "version": "001", "displayName": "Nano Banana 2"}).encode())

    def will_say(self, answer: bytes) -> None:
        """Answer with these bytes."""
        self._behaviours.append(Behaviour(answer=answer))

    def will_fail(self, status: int, message: str = "scripted", **rest: Any) -> None:
        """Answer with an error of HTTP; `name`, `details` and `headers` may be given."""
        self._behaviours.append(Behaviour(error=ApiError(status, message, **rest)))

    def will_end(self, ending: Ending) -> None:
        """Begin an answer, or not even that, and end it badly."""
        self._behaviours.append(Behaviour(answer=b'{"candidates": []}', ending=ending))

    def next_behaviour(self) -> Behaviour:
        """Take the next behaviour."""
        if self._behaviours:
            return self._behaviours.popleft()
        return Behaviour(error=ApiError(500, "this server was not told what to answer"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: GeminiServer) -> None:
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
        headers = {name.lower(): value for name, value in self.headers.items()}
        raw = self.rfile.read(int(headers.get("content-length", 0)))
        try:
            self._check(headers, raw)
            behaviour = api.next_behaviour()
            if behaviour.error:
                raise behaviour.error
        except ApiError as error:
            self._log(headers, raw, error.status)
            self._send(error.status, json.dumps(error.body()).encode(), error.headers)
            return
        self._log(headers, raw, 200)
        if behaviour.ending == "complete":
            self._send(200, behaviour.answer, {})
            return
        self._end_badly(behaviour)

    do_POST = do_GET = do_PUT = do_DELETE = _serve  # noqa: N815

    def _check(self, headers: Mapping[str, str], raw: bytes) -> None:
        if (self.command, self.path) not in {("POST", LOCKED_PATH), ("GET", MODEL_PATH)}:
            raise ApiError(404, f"{self.command} {self.path} is not found")
        sent = headers.get("x-goog-api-key", "")
        if not sent or "authorization" in headers:
            raise ApiError(403, "Method doesn't allow unregistered callers")
        if sent != self.server.api.key:
            # The echo is on purpose: a client must not carry it into its errors.
            raise ApiError(400, f"API key not valid: {sent}", details=[reason("API_KEY_INVALID")])
        if self.command == "GET":
            return
        if headers.get("content-type") != "application/json":
            raise ApiError(400, "Content-Type: application/json is expected")
        try:
            ContentRequest.model_validate_json(raw)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise ApiError(400, f"Invalid JSON payload received. {place}: {fault['msg']}") from None

    def _log(self, headers: Mapping[str, str], raw: bytes, status: int) -> None:
        safe = {name: "***" if name in _SECRET_HEADERS else value for name, value in headers.items()}
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        self.server.api.requests.append(LoggedRequest(self.command, self.path, safe, body, status))

    def _send(self, status: int, payload: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(payload)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def _end_badly(self, behaviour: Behaviour) -> None:
        closing = self.server.api.closing
        if behaviour.ending == "stall":
            closing.wait()
        if behaviour.ending == "drip_headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        else:
            self.send_response(200)
            self.send_header("content-length", str(10**6))
            self.end_headers()
            self.wfile.write(behaviour.answer)
        self.wfile.flush()
        while behaviour.ending.startswith("drip") and not closing.wait(0.02):
            self.wfile.write(b" ")
            self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
        """Keep quiet."""


def reason(name: str) -> Json:
    """Return the detail of an error that gives its reason."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": name, "domain": "googleapis.com"}


def retry_info(delay: str) -> Json:
    """Return the detail of an error that says how long to wait."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota(name: str) -> Json:
    """Return the detail of an error that says which quota is used up."""
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]}
