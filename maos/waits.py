"""How long a step that failed for now is let alone, because its engine asks for that."""

from datetime import datetime, timedelta

from maos.errors import EngineFailure

# A longer wait is asked for in vain: a run that does nothing for minutes helps nobody.
LONGEST_WAIT_SECONDS = 60.0


def retry_at(error: BaseException | None, now: datetime) -> datetime | None:
    """Return the time before which a failed step must not be tried again; nothing where nobody asked to wait."""
    if not isinstance(error, EngineFailure) or not error.retryable or not error.retry_after:
        return None
    return now + timedelta(seconds=min(error.retry_after, LONGEST_WAIT_SECONDS))


def seconds_left(until: datetime | None, now: datetime) -> float:
    """Return how long to wait yet; the clock that wrote the time may be another machine's, so that is bounded too."""
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT_SECONDS) if until else 0.0
