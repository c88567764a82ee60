"""What each result of the command means to maos."""

import re

from maos.actions import JsonObject
from maos.errors import EngineFailure
from maos.failures import FailureKind

_LONGEST_DETAIL = 300
_BY_SUBTYPE: dict[str, FailureKind] = {
    "error_max_turns": FailureKind.TRUNCATED,
    "error_max_budget_usd": FailureKind.TRUNCATED,
    "error_max_structured_output_retries": FailureKind.UNUSABLE_OUTPUT,
}
# An error of the API comes as a result of its own words; where it has no status, or a common one, only they tell.
_BY_PHRASE: dict[str, FailureKind] = {
    "not logged in": FailureKind.NOT_CONFIGURED,
    "invalid api key": FailureKind.NOT_PERMITTED,
    "credit balance": FailureKind.BILLING,
    "usage limit": FailureKind.BILLING,
    "spend limit": FailureKind.BILLING,
    "prompt is too long": FailureKind.TOO_LONG,
    "output token maximum": FailureKind.TRUNCATED,
    "unable to connect": FailureKind.UNREACHABLE,
    "timed out": FailureKind.TIMED_OUT,
    "overloaded": FailureKind.OVERLOADED,
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
    529: FailureKind.OVERLOADED,
}
_BY_CLASS: dict[int, FailureKind] = {4: FailureKind.BAD_REQUEST, 5: FailureKind.UNREACHABLE}


def failure_of(result: JsonObject) -> EngineFailure | None:
    """Return why a result is none, or None when it is one."""
    subtype = str(result.get("subtype"))
    if subtype == "success" and not result.get("is_error"):
        return None
    words = _words_of(result)
    kind = _BY_SUBTYPE.get(subtype) or _kind_of_error(result, words.lower())
    status = result.get("api_error_status")
    return EngineFailure(kind, _without_keys(f"{subtype}{f' {status}' if status else ''}: {words}"))


def without_key(text: str, key: str) -> str:
    """Return the text without the key, and without anything of a key's form."""
    return _without_keys(text.replace(key, "[key]"))


def _kind_of_error(result: JsonObject, words: str) -> FailureKind:
    if result.get("stop_reason") == "refusal":
        return FailureKind.DECLINED
    status = result.get("api_error_status")
    by_phrase = next((kind for phrase, kind in _BY_PHRASE.items() if phrase in words), None)
    if isinstance(status, int):
        return by_phrase or _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, FailureKind.INTERRUPTED)
    # Its connection broke in the middle, or it failed by itself.
    return by_phrase or (FailureKind.INTERRUPTED if "api error" in words else FailureKind.SERVICE_ERROR)


def _words_of(result: JsonObject) -> str:
    errors = result.get("errors")
    listed = [str(error) for error in errors] if isinstance(errors, list) else []
    return "; ".join(filter(None, [str(result.get("result") or ""), *listed])) or "no reason given"


def _without_keys(text: str) -> str:
    return re.sub(r"sk-[\w-]{6,}", "[key]", text)[:_LONGEST_DETAIL]
