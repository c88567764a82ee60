"""What the Messages API accepts, as strictly as it is documented: the rules of the local server."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

VERSION = "2026-10-21"
PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
MOST_CACHE_MARKS = 4
_KEYWORDS = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "$ref",
        "$defs",
        "description",
        "title",
        "format",
        "minItems",
    ]
)
_TOOL_NAME = r"^[a-zA-Z0-9_-]{1,128}$"
_FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"])


B = TypeVar("B", bound=BaseModel)


@dataclass(eq=False)
class ApiError(Exception):
    """An error as the API answers it."""

    status: int
    type: str
    message: str
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON that describes the error."""
        details = {"details": {"error_code": self.code}} if self.code else {}
        error = {"type": self.type, "message": self.message, **details}
        return {"type": "error", "error": error, "request_id": request_id}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _CacheControl(_Strict):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class _Text(_Strict):
    type: Literal["text"]
    text: str = Field(min_length=1)
    cache_control: _CacheControl | None = None


class _Thought(_Strict):
    type: Literal["thinking"]
    thinking: str
    signature: str = Field(min_length=1)


class _ToolUse(_Strict):
    type: Literal["tool_use"]
    id: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")
    name: str = Field(pattern=_TOOL_NAME)
    input: dict[str, Any]
    cache_control: _CacheControl | None = None


class _ToolResult(_Strict):
    type: Literal["tool_result"]
    tool_use_id: str = Field(pattern=r"^[a-zA-Z0-9_-]+$")
    content: str | list[_Text] | None = None
    is_error: bool | None = None
    cache_control: _CacheControl | None = None


_Block = Annotated[_Text | _Thought | _ToolUse | _ToolResult, Field(discriminator="type")]


class _Turn(_Strict):
    role: Literal["user", "assistant"]
    content: str | list[_Block] = Field(min_length=1)

    def of(self, kind: type[B]) -> list[B]:
        """Return the blocks of a kind."""
        return [block for block in self.content if isinstance(block, kind)] if isinstance(self.content, list) else []


class _Tool(_Strict):
    name: str = Field(pattern=_TOOL_NAME)
    description: str | None = None
    input_schema: dict[str, Any]
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: _CacheControl | None = None


class _JsonFormat(_Strict):
    type: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema")


class _OutputConfig(_Strict):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: _JsonFormat | None = None


class _Thinking(_Strict):
    type: Literal["adaptive"]


class _Metadata(_Strict):
    user_id: str | None = None


class CountRequest(_Strict):
    """The body of a request to count tokens."""

    model: str
    messages: list[_Turn] = Field(min_length=1)
    system: str | list[_Text] | None = None
    output_config: _OutputConfig | None = None
    thinking: _Thinking | None = None


class MessagesRequest(CountRequest):
    """The body of a request for an answer."""

    max_tokens: int = Field(ge=1, le=128_000)
    stream: bool = False
    metadata: _Metadata | None = None
    stop_sequences: list[str] | None = None
    tools: list[_Tool] | None = Field(default=None, min_length=1)
    cache_control: _CacheControl | None = None
    service_tier: Literal["auto", "standard_only"] | None = None


R = TypeVar("R", bound=CountRequest)


def check_headers(headers: Mapping[str, str], *, key: str) -> None:
    """Refuse a request without the right key, version and content type."""
    sent = [value for value in (headers.get("authorization"), headers.get("x-api-key")) if value]
    if not sent:
        raise ApiError(401, "authentication_error", "x-api-key header is required")
    if any(value not in {f"Bearer {key}", key} for value in sent):
        # The echo is on purpose: a client must not carry it into its errors.
        raise ApiError(401, "authentication_error", f"invalid key {' and '.join(sent)}")
    if headers.get("anthropic-version") != VERSION:
        raise ApiError(400, "invalid_request_error", f"anthropic-version: {VERSION} is expected")
    if "anthropic-beta" in headers:
        raise ApiError(400, "invalid_request_error", "anthropic-beta: no beta is known")
    if headers.get("content-type") != "application/json":
        raise ApiError(400, "invalid_request_error", "content-type: application/json is expected")


def check_body(body: bytes, form: type[R], *, models: Collection[str]) -> R:
    """Refuse a body with an unknown field, a wrong value, an unknown model or a schema beyond the dialect."""
    try:
        request = form.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ApiError(400, "invalid_request_error", f"{place}: {fault['msg']}") from None
    if request.model not in models:
        raise ApiError(404, "not_found_error", f"model: {request.model}")
    if request.messages[-1].role != "user":
        raise ApiError(400, "invalid_request_error", "messages: the last turn must be the user's")
    _check_turns(request.messages)
    if isinstance(request, MessagesRequest):
        _check_tools(request)
    _check_cache_marks(request)
    if request.output_config and request.output_config.format:
        _check_schema(request.output_config.format.json_schema)
    return request


def _check_cache_marks(request: CountRequest) -> None:
    system = request.system if isinstance(request.system, list) else []
    blocks = [block for turn in request.messages if isinstance(turn.content, list) for block in turn.content]
    marked = (request, *system, *(getattr(request, "tools", None) or []), *blocks)
    if (marks := sum(getattr(each, "cache_control", None) is not None for each in marked)) > MOST_CACHE_MARKS:
        raise ApiError(
            400,
            "invalid_request_error",
            f"A maximum of {MOST_CACHE_MARKS} blocks with cache_control may be provided. Found {marks}.",
        )


def _check_turns(turns: list[_Turn]) -> None:
    """Refuse blocks in the wrong mouth, and calls of tools that the next turn does not answer, each once."""
    asked: list[str] = []
    for number, turn in enumerate(turns):
        place = f"messages.{number}"
        if turn.role == ("assistant" if number % 2 == 0 else "user"):
            raise ApiError(400, "invalid_request_error", f"{place}: roles must alternate, beginning with the user's")
        wrong = turn.of(_ToolResult) if turn.role == "assistant" else [*turn.of(_ToolUse), *turn.of(_Thought)]
        if wrong:
            raise ApiError(400, "invalid_request_error", f"{place}: {wrong[0].type} is not a block of {turn.role}")
        answered = [result.tool_use_id for result in turn.of(_ToolResult)]
        if turn.role == "user" and sorted(answered) != sorted(asked):
            words = f"`tool_use` ids {sorted(asked)} were found, `tool_result` blocks for {sorted(answered)}"
            raise ApiError(400, "invalid_request_error", f"{place}: {words}")
        asked = [use.id for use in turn.of(_ToolUse)]
        if len(asked) > len(set(asked)):
            raise ApiError(400, "invalid_request_error", f"{place}: `tool_use` ids must be unique")


def _check_tools(request: MessagesRequest) -> None:
    tools = request.tools or []
    names = [tool.name for tool in tools]
    if len(names) > len(set(names)):
        raise ApiError(400, "invalid_request_error", "tools: Tool names must be unique.")
    for number, tool in enumerate(tools):
        if tool.input_schema.get("type") != "object":
            raise ApiError(400, "invalid_request_error", f"tools.{number}.input_schema.type: Input should be 'object'")
        _check_references(tool.input_schema, tool.input_schema, f"tools.{number}.input_schema")
        if tool.strict:
            _check_schema(tool.input_schema)
    if not tools and any(turn.of(_ToolUse) for turn in request.messages):
        raise ApiError(400, "invalid_request_error", "tools: required, as the messages have `tool_use` blocks")


def _check_references(part: Any, root: dict[str, Any], place: str) -> None:
    """Refuse a schema that refers to what it does not define."""
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _check_references(value, root, place)
    reference = part.get("$ref") if isinstance(part, dict) else None
    if isinstance(reference, str):
        found: Any = root
        for name in reference.removeprefix("#/").split("/"):
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            raise ApiError(400, "invalid_request_error", f"{place}: {reference} is not defined")


def _check_schema(schema: Any) -> None:
    """Refuse what the strict dialect of JSON schema does not have."""
    if not isinstance(schema, dict) or not schema:
        raise _schema_error("a schema is an object that says something")
    if unknown := schema.keys() - _KEYWORDS:
        raise _schema_error(f"keyword {sorted(unknown)[0]!r} is not supported")
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise _schema_error("for 'object' type, 'additionalProperties' must be explicitly set to false")
    if schema.get("format", "date") not in _FORMATS:
        raise _schema_error(f"format {schema['format']!r} is not supported")
    if schema.get("minItems", 0) not in (0, 1):
        raise _schema_error("minItems must be 0 or 1")
    for keyword in ("properties", "$defs"):
        for part in schema.get(keyword, {}).values():
            _check_schema(part)
    for part in [*schema.get("anyOf", []), *schema.get("allOf", []), *([schema["items"]] if "items" in schema else [])]:
        _check_schema(part)


def _schema_error(reason: str) -> ApiError:
    return ApiError(400, "invalid_request_error", f"output_config.format.schema: {reason}")
