"""Budgets: whose, of what, in which period, and what somebody may set."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field

from maos.errors import BadInput

# Of a budget that has no periods: the one period it has begins here.
EVER = date(1970, 1, 1)
_LARGEST = Decimal(10) ** 10
_DECIMALS = 8


class BudgetScope(StrEnum):
    """Whose calls a budget holds for; each call falls under those of all four."""

    ORG = "org"
    TEAM = "team"
    AGENT = "agent"
    RUN = "run"


class BudgetPeriod(StrEnum):
    """After which time a budget is full again."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


class BudgetUnit(StrEnum):
    """What a budget counts: of calls that cost something, never of services or rehearsals."""

    USD = "usd"
    TOKENS = "tokens"
    CALLS = "calls"

    def plain(self, amount: Decimal) -> str:
        """Return an amount as digits: money with its decimals, everything else without."""
        return f"{amount:f}" if self is BudgetUnit.USD else f"{amount:.0f}"

    def in_words(self, amount: Decimal) -> str:
        """Return an amount as people read it."""
        return f"{amount.normalize():f} USD" if self is BudgetUnit.USD else f"{amount:,.0f} {self.value}"


class BudgetKey(BaseModel):
    """Which budget: an organisation has one of each."""

    model_config = ConfigDict(frozen=True)

    scope: BudgetScope
    owner: str = Field(description="Name of the team or agent, id of the organisation or run.")
    unit: BudgetUnit
    period: BudgetPeriod

    @property
    def in_words(self) -> str:
        """Which it is, for a sentence."""
        whose = "" if self.scope is BudgetScope.ORG else f" {self.owner}"
        when = "in total" if self.period is BudgetPeriod.TOTAL else f"a {self.period.value}"
        return f"{self.unit.value} of the {self.scope.value}{whose} {when}"


class Amounts(BaseModel):
    """What a call, or what a step has left to do, takes of each unit."""

    model_config = ConfigDict(frozen=True)

    usd: Decimal = Decimal(0)
    tokens: int = 0
    calls: int = 0

    def of(self, unit: BudgetUnit) -> Decimal:
        """Return the amount of one unit."""
        return Decimal(getattr(self, unit.value))


class Hold(BaseModel):
    """What a call has set aside in one period of one budget."""

    model_config = ConfigDict(frozen=True)

    budget: str = Field(description="Id of the budget.")
    unit: BudgetUnit
    period: date = Field(description="First day of the period.")
    amount: Decimal


def period_start(period: BudgetPeriod, at: datetime, zone: ZoneInfo) -> date:
    """Return the first day of the period that a moment falls into, by the calendar of a zone."""
    if period is BudgetPeriod.TOTAL:
        return EVER
    day = _day_of(at, zone)
    return day if period is BudgetPeriod.DAY else day.replace(day=1)


def period_end(period: BudgetPeriod, start: date, zone: ZoneInfo) -> datetime | None:
    """Return the moment at which the period of this first day is over, or None where it never is."""
    if period is BudgetPeriod.TOTAL:
        return None
    if period is BudgetPeriod.DAY:
        return day_begins(start + timedelta(days=1), zone)
    return day_begins((start.replace(day=1) + timedelta(days=31)).replace(day=1), zone)


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment, in UTC, at which a day begins in a zone.

    Where clocks are put forward at midnight it begins with the change; where they are put back, at the first midnight.
    """
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _day_of(at: datetime, zone: ZoneInfo) -> date:
    # By the moments at which days begin, not by what the clock shows: put back past midnight, it shows a day twice.
    day, one = at.astimezone(zone).date(), timedelta(days=1)
    while day_begins(day + one, zone) <= at:
        day += one
    while day_begins(day, zone) > at:
        day -= one
    return day


def checked_amount(text: str, unit: BudgetUnit) -> Decimal:
    """Return what somebody gave as an amount.

    Raises:
        BadInput: naming what is allowed.
    """
    whole = unit is not BudgetUnit.USD
    allowed = "a whole number from 0" if whole else "a number from 0 with at most eight decimals"
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadInput("amount", text, allowed) from None
    decimals = 0 if whole else _DECIMALS
    if not amount.is_finite() or not 0 <= amount < _LARGEST or amount != round(amount, decimals):
        raise BadInput("amount", text, f"{allowed}, below {_LARGEST:,f}")
    return amount


def checked_thresholds(percents: Sequence[int]) -> tuple[int, ...]:
    """Return the percentages at which a notice is given, the lowest first.

    Raises:
        BadInput: when one is not between 1 and 100.
    """
    for percent in percents:
        if not 1 <= percent <= 100:
            raise BadInput("notice-at", f"{percent}", "a percentage from 1 to 100")
    return tuple(sorted(set(percents)))


def passed_thresholds(thresholds: Sequence[int], *, limit: Decimal, spent: Decimal) -> tuple[int, ...]:
    """Return the thresholds, in percent of the limit, that what is spent has reached."""
    return tuple(percent for percent in thresholds if spent > 0 and spent * 100 >= limit * percent)


def checked_zone(name: str) -> ZoneInfo:
    """Return the time zone of this name.

    Raises:
        BadInput: when there is none.
    """
    if name not in available_timezones():
        raise BadInput("timezone", name, "a name of the IANA time zone database, such as UTC or Europe/Berlin")
    return ZoneInfo(name)
