from datetime import UTC, datetime, timedelta

import pytest

from maos.countdown import is_urgent, time_left

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=3, hours=4, minutes=5), "in 3 d 4 h"),
        (timedelta(days=2), "in 2 d"),
        (timedelta(hours=1, minutes=12, seconds=59), "in 1 h 12 min"),
        (timedelta(minutes=12), "in 12 min"),
        (timedelta(seconds=59), "in less than a minute"),
        (timedelta(0), "over"),
        (timedelta(hours=-3), "over"),
    ],
)
def test_the_time_left_is_told_in_two_units(left: timedelta, words: str) -> None:
    assert time_left(NOW + left, now=NOW) == words


def test_less_than_an_hour_is_urgent() -> None:
    assert is_urgent(NOW + timedelta(minutes=59), now=NOW)
    assert not is_urgent(NOW + timedelta(hours=1), now=NOW)
