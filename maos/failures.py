"""Why a step or its engine failed, in words that every client may read, and what may be tried again."""

from enum import StrEnum


class FailureKind(StrEnum):
    """Why an engine did not deliver, in words that name no vendor."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    NOT_CONFIGURED = "not_configured"
    NOT_PERMITTED = "not_permitted"
    BILLING = "billing"
    TOO_LONG = "too_long"
    BAD_REQUEST = "bad_request"
    DECLINED = "declined"
    TRUNCATED = "truncated"
    UNUSABLE_OUTPUT = "unusable_output"
    SERVICE_ERROR = "service_error"
    # Before the engine was reached.
    REFUSED = "refused"
    BUDGET = "budget"
    LIMIT_REACHED = "limit_reached"
    INPUTS = "inputs"
    # The flow process ended while the engine worked: no verdict on the step.
    PROCESS_DIED = "process_died"


_RETRYABLE = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.UNREACHABLE,
        FailureKind.TIMED_OUT,
        FailureKind.INTERRUPTED,
    }
)


def is_retryable(kind: FailureKind) -> bool:
    """Say whether another attempt may succeed after such a failure."""
    return kind in _RETRYABLE
