"""What each error of the SDK means to maos; loaded with the SDK, when a call is made."""

import json
import math
import re

import anthropic
import httpx2

from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.waits import LONGEST_WAIT_SECONDS

# All that a call can raise: the SDK wraps errors until an answer begins, and none in the middle of a stream.
SDK_ERRORS: tuple[type[Exception], ...] = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    json.JSONDecodeError,
    UnicodeDecodeError,
)

_LONGEST_DETAIL = 300

_BY_CODE: dict[str, FailureKind] = {
    "contract_spend_limit_reached": FailureKind.BILLING,
    "enforced_spend_limit_reached": FailureKind.BILLING,
    "linked_organization_billing_unavailable": FailureKind.BILLING,
    "linked_organization_spend_limit_reached": FailureKind.BILLING,
    "organization_on_hold": FailureKind.NOT_PERMITTED,
}
# The API answers these with a plain 400 and no code: only the wording tells them from a malformed request.
_BY_PHRASE: dict[str, FailureKind] = {
    "prompt is too long": FailureKind.TOO_LONG,
    "exceed context limit": FailureKind.TOO_LONG,
    "credit balance": FailureKind.BILLING,
    "usage limits": FailureKind.BILLING,
}
_BY_STATUS: dict[int, FailureKind] = {
    401: FailureKind.NOT_PERMITTED,
    402: FailureKind.BILLING,
    403: FailureKind.NOT_PERMITTED,
    404: FailureKind.BAD_REQUEST,
    408: FailureKind.TIMED_OUT,
    413: FailureKind.TOO_LONG,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMED_OUT,
    529: FailureKind.OVERLOADED,
}
# Decides for 400, and inside a stream, where the status was 200 long ago.
_BY_TYPE: dict[str, FailureKind] = {
    "authentication_error": FailureKind.NOT_PERMITTED,
    "permission_error": FailureKind.NOT_PERMITTED,
    "billing_error": FailureKind.BILLING,
    "not_found_error": FailureKind.BAD_REQUEST,
    "invalid_request_error": FailureKind.BAD_REQUEST,
    "request_too_large": FailureKind.TOO_LONG,
    "rate_limit_error": FailureKind.RATE_LIMITED,
    "timeout_error": FailureKind.TIMED_OUT,
    "overloaded_error": FailureKind.OVERLOADED,
}
# The rest, by the first digit of the status: a stream that broke, a wrong address, our fault, theirs.
_BY_CLASS: dict[int, FailureKind] = {
    2: FailureKind.INTERRUPTED,
    3: FailureKind.NOT_CONFIGURED,
    4: FailureKind.BAD_REQUEST,
    5: FailureKind.UNREACHABLE,
}
# In this order; unreachable means that the request never arrived, so nothing was spent.
_BY_CAUSE: tuple[tuple[type[Exception], FailureKind], ...] = (
    (httpx2.ConnectTimeout, FailureKind.UNREACHABLE),
    (httpx2.PoolTimeout, FailureKind.UNREACHABLE),
    (httpx2.TimeoutException, FailureKind.TIMED_OUT),
    (httpx2.ConnectError, FailureKind.UNREACHABLE),
    (httpx2.ProxyError, FailureKind.UNREACHABLE),
    (httpx2.UnsupportedProtocol, FailureKind.NOT_CONFIGURED),
    (httpx2.LocalProtocolError, FailureKind.NOT_CONFIGURED),
    (httpx2.InvalidURL, FailureKind.NOT_CONFIGURED),
    (Exception, FailureKind.INTERRUPTED),
)


def failure_of(error: Exception, *, key: str) -> EngineFailure:
    """Translate an error of the SDK, without a trace of the key in it."""
    if isinstance(error, anthropic.APIStatusError):
        return EngineFailure(_kind_of_answer(error), _without(key, _account_of(error)), _wait_of(error))
    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else None
    cause = cause if isinstance(cause, Exception) else error
    kind = next(kind for cause_type, kind in _BY_CAUSE if isinstance(cause, cause_type))
    return EngineFailure(kind, _without(key, f"{type(cause).__name__}: {cause}"))


def _kind_of_answer(error: anthropic.APIStatusError) -> FailureKind:
    message = (error.api_message or "").lower()
    phrases = _BY_PHRASE if error.type == "invalid_request_error" else {}
    return (
        _BY_CODE.get(error.error_code or "")
        or next((kind for phrase, kind in phrases.items() if phrase in message), None)
        or _BY_STATUS.get(error.status_code)
        or _BY_TYPE.get(error.type or "")
        or _BY_CLASS.get(error.status_code // 100, FailureKind.UNREACHABLE)
    )


def _account_of(error: anthropic.APIStatusError) -> str:
    name = error.error_code or error.type or "error"
    return f"{error.status_code} {name}: {error.api_message or 'no message'} (request {error.request_id})"


def _wait_of(error: anthropic.APIStatusError) -> float | None:
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT_SECONDS) if seconds >= 0 and not math.isnan(seconds) else None


def _without(key: str, text: str) -> str:
    # Keys of the vendor's form too: a gateway may answer with its own.
    cleaned = re.sub(r"sk-[\w-]{6,}", "[key]", text.replace(key, "[key]"))
    return cleaned[:_LONGEST_DETAIL]
