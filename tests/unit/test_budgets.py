"""Periods of budgets by the calendar of an organisation, and what may be set."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from maos.budgets import (
    EVER,
    Amounts,
    BudgetPeriod,
    BudgetUnit,
    checked_amount,
    checked_thresholds,
    checked_zone,
    day_begins,
    period_end,
    period_start,
)
from maos.errors import BadInput

# Changes by an hour, by half an hour, at midnight, past midnight, none; a day that a whole country left out.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Santiago",
    "Africa/Cairo",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Apia",
)
_FROM, _DAYS = datetime(2009, 1, 1, tzinfo=UTC), 7000
_INSTANT = timedelta(microseconds=1)


@cache
def _moments(zone: ZoneInfo) -> list[datetime]:
    """Return moments of two decades: some anywhere, most around where the clocks are changed and days begin."""
    chance = random.Random(zone.key)  # noqa: S311 - reproducible
    days_of_it = [_FROM + timedelta(days=n) for n in range(_DAYS)]
    changes = [day for day in days_of_it if _offset(day, zone) != _offset(day + timedelta(days=1), zone)]
    near = [at + timedelta(minutes=chance.randint(-1600, 3200)) for at in changes for _ in range(4)]
    days = [day_begins(at.date() + timedelta(days=n), zone) for at in changes for n in (-1, 0, 1, 2)]
    edges = [edge + step for edge in days for step in (-_INSTANT, timedelta(), _INSTANT)]
    return sorted({*near, *edges, *chance.sample(days_of_it, 100)})


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


@pytest.mark.parametrize("period", [BudgetPeriod.DAY, BudgetPeriod.MONTH])
@pytest.mark.parametrize("name", ZONES)
def test_every_moment_is_in_one_period_that_ends_where_the_next_begins(name: str, period: BudgetPeriod) -> None:
    zone = ZoneInfo(name)
    for at in _moments(zone):
        start = period_start(period, at, zone)
        end = period_end(period, start, zone)

        assert end is not None
        assert day_begins(start, zone) <= at < end
        assert period_start(period, end - _INSTANT, zone) == start
        assert period_start(period, end, zone) > start


@pytest.mark.parametrize("name", ZONES)
def test_periods_never_go_back(name: str) -> None:
    zone = ZoneInfo(name)
    for period in BudgetPeriod:
        starts = [period_start(period, at, zone) for at in _moments(zone)]

        assert starts == sorted(starts)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 6, 1), 24),
        # It begins at one o'clock: there is no midnight.
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ],
)
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(zone: str, day: date, hours: float) -> None:
    begins, ends = day_begins(day, ZoneInfo(zone)), period_end(BudgetPeriod.DAY, day, ZoneInfo(zone))

    assert ends is not None
    assert ends - begins == timedelta(hours=hours)


def test_the_zone_of_the_organisation_decides_the_day_and_the_month() -> None:
    at = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)

    assert period_start(BudgetPeriod.DAY, at, ZoneInfo("UTC")) == date(2026, 10, 31)
    assert period_start(BudgetPeriod.DAY, at, ZoneInfo("Europe/Berlin")) == date(2026, 11, 1)
    assert period_start(BudgetPeriod.MONTH, at, ZoneInfo("Europe/Berlin")) == date(2026, 11, 1)
    assert period_start(BudgetPeriod.MONTH, at, ZoneInfo("America/New_York")) == date(2026, 10, 1)
    assert period_start(BudgetPeriod.TOTAL, at, ZoneInfo("Europe/Berlin")) == EVER


@pytest.mark.parametrize(
    ("text", "unit"),
    [("-1", "usd"), ("x", "usd"), ("NaN", "usd"), ("0.123456789", "usd"), ("1.5", "tokens"), ("1e11", "calls")],
)
def test_an_amount_that_is_none_is_refused_with_what_is_allowed(text: str, unit: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked_amount(text, BudgetUnit(unit))

    assert (refused.value.field, refused.value.value) == ("amount", text)
    assert "from 0" in refused.value.allowed


def test_amounts_thresholds_and_zones_are_read() -> None:
    assert checked_amount("0.00000001", BudgetUnit.USD) == Decimal("1e-8")
    assert checked_amount("5000", BudgetUnit.TOKENS) == 5000
    assert checked_thresholds([90, 50, 90]) == (50, 90)
    assert checked_zone("Asia/Kathmandu").key == "Asia/Kathmandu"


@pytest.mark.parametrize("percent", [0, 101])
def test_a_threshold_is_a_percentage(percent: int) -> None:
    with pytest.raises(BadInput, match="1 to 100"):
        checked_thresholds([percent])


@pytest.mark.parametrize("name", ["Berlin", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="IANA"):
        checked_zone(name)


def test_amounts_are_read_in_words() -> None:
    taken = Amounts(usd=Decimal("0.50000000"), tokens=12000, calls=1)

    assert [unit.in_words(taken.of(unit)) for unit in BudgetUnit] == ["0.5 USD", "12,000 tokens", "1 calls"]
