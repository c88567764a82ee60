"""How long a failed step is let alone."""

from datetime import UTC, datetime, timedelta

import pytest

from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.waits import LONGEST_WAIT_SECONDS, retry_at, seconds_left

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (EngineFailure(FailureKind.RATE_LIMITED, "", retry_after=2.5), 2.5),
        (EngineFailure(FailureKind.OVERLOADED, "", retry_after=99_999), LONGEST_WAIT_SECONDS),
        (EngineFailure(FailureKind.RATE_LIMITED, "", retry_after=0), None),
        (EngineFailure(FailureKind.RATE_LIMITED, ""), None),
        (EngineFailure(FailureKind.BILLING, "", retry_after=5), None),
        (ValueError("5"), None),
        (None, None),
    ],
)
def test_a_wait_that_is_asked_for_is_kept_up_to_a_limit(error: BaseException | None, seconds: float | None) -> None:
    assert retry_at(error, NOW) == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(("ahead", "left"), [(-5, 0), (0, 0), (1.5, 1.5), (9999, LONGEST_WAIT_SECONDS)])
def test_what_is_left_is_bounded_whatever_the_clocks_say(ahead: float, left: float) -> None:
    assert seconds_left(NOW + timedelta(seconds=ahead), NOW) == left
    assert seconds_left(None, NOW) == 0
