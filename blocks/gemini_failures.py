"""What each error of the image SDK means to maos; loaded with the SDK, when a call is made."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import httpx2
from google.genai import errors
from pydantic import ValidationError

from blocks.gemini_call import GeminiCall
from maos.actions import JsonObject
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.waits import LONGEST_WAIT_SECONDS

# An answer that is JSON but not of the promised form.
_MISSHAPEN: tuple[type[Exception], ...] = (
    errors.UnknownApiResponseError,
    ValidationError,
    json.JSONDecodeError,
    UnicodeDecodeError,
    AttributeError,
    TypeError,
)
SDK_ERRORS: tuple[type[Exception], ...] = (errors.APIError, httpx2.HTTPError, *_MISSHAPEN)

_LONGEST_DETAIL = 300
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")

_BY_REASON: dict[str, FailureKind] = {
    "API_KEY_INVALID": FailureKind.NOT_PERMITTED,
    "API_KEY_EXPIRED": FailureKind.NOT_PERMITTED,
    "SERVICE_DISABLED": FailureKind.NOT_PERMITTED,
    "BILLING_DISABLED": FailureKind.BILLING,
}
_BY_STATUS: dict[int, FailureKind] = {
    401: FailureKind.NOT_PERMITTED,
    402: FailureKind.BILLING,
    403: FailureKind.NOT_PERMITTED,
    408: FailureKind.TIMED_OUT,
    413: FailureKind.TOO_LONG,
    429: FailureKind.RATE_LIMITED,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMED_OUT,
}
# The rest, by the first digit of the status.
_BY_CLASS: dict[int, FailureKind] = {
    2: FailureKind.INTERRUPTED,
    3: FailureKind.NOT_CONFIGURED,
    4: FailureKind.BAD_REQUEST,
    5: FailureKind.UNREACHABLE,
}


def failure_of(error: Exception, call: GeminiCall, *, key: str) -> EngineFailure:
    """Translate an error of the SDK, without a trace of the key in it."""
    if isinstance(error, errors.APIError):
        return EngineFailure(_kind_of_answer(error), _without(key, _account_of(error)), _wait_of(error))
    if isinstance(error, httpx2.HTTPError):
        return EngineFailure(call.kind_of(error), _without(key, f"{type(error).__name__}: {error}"))
    # Its text would repeat the answer. What the call has cost is not known: it came, but cannot be read.
    return EngineFailure(FailureKind.INTERRUPTED, f"the answer has not the promised form ({type(error).__name__})")


def _kind_of_answer(error: errors.APIError) -> FailureKind:
    details = list(_details_of(error))
    reason = next((str(detail["reason"]) for detail in details if "reason" in detail), "")
    return (
        _BY_REASON.get(reason)
        or (FailureKind.BILLING if _is_unpaid(error, details) else None)
        or _BY_STATUS.get(error.code)
        or _BY_CLASS.get(error.code // 100, FailureKind.UNREACHABLE)
    )


def _is_unpaid(error: errors.APIError, details: list[JsonObject]) -> bool:
    """Say whether waiting a minute cannot help: no billing, no credit, or the quota of the whole day is used up."""
    message = str(error.message or "").lower()
    if error.code in {400, 403} and error.status in {"FAILED_PRECONDITION", "PERMISSION_DENIED"}:
        return "billing" in message
    if error.code != 429:
        return False
    used_up = [violation for detail in details for violation in _listed(detail, "violations")]
    return any("PerDay" in str(violation.get("quotaId")) for violation in used_up) or "credits are depleted" in message


def _details_of(error: errors.APIError) -> Iterator[JsonObject]:
    """Yield the typed details of an error, as far as it has the documented form."""
    said: Any = error.details
    inner = said.get("error", said) if isinstance(said, dict) else {}
    yield from _listed(inner, "details") if isinstance(inner, dict) else ()


def _listed(holder: JsonObject, name: str) -> list[JsonObject]:
    found = holder.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _wait_of(error: errors.APIError) -> float | None:
    delays = (detail.get("retryDelay") for detail in _details_of(error))
    stated = next((match for delay in delays if (match := _DURATION.fullmatch(str(delay)))), None)
    if stated:
        return min(float(stated[1]), LONGEST_WAIT_SECONDS)
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, LONGEST_WAIT_SECONDS) if seconds >= 0 and not math.isnan(seconds) else None


def _account_of(error: errors.APIError) -> str:
    return f"{error.code} {error.status or 'error'}: {error.message or 'no message'}"


def _without(key: str, text: str) -> str:
    # Keys of the vendor's form too: a gateway may answer with its own.
    cleaned = re.sub(r"AIza[\w-]{6,}|\bAQ\.[\w-]{6,}", "[key]", text.replace(key, "[key]"))
    return cleaned[:_LONGEST_DETAIL]
