"""Calendar periods of a trend: their labels, their neighbours, their names in a sentence."""

from datetime import date, timedelta
from enum import StrEnum

# Not `calendar.month_name`: it follows the locale of the process.
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


# Longer trends are shown by years.
MOST_MONTHS = 72


class Grain(StrEnum):
    """How long periods are; weeks are ISO weeks, from Monday on."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


def grain_for(*, days: int, months: int) -> Grain:
    """Choose the periods of a trend, from how many different days and months have data."""
    if months <= 1 or days <= 14:
        return Grain.DAY
    return Grain.MONTH if months <= MOST_MONTHS else Grain.YEAR


def label_of(start: date, grain: Grain) -> str:
    """Return a period's label for tables and charts: `2024-03`, `2024-W09`, `2024-Q1`."""
    if grain is Grain.WEEK:
        year, week, _ = start.isocalendar()
        return f"{year:04d}-W{week:02d}"
    if grain is Grain.QUARTER:
        return f"{start.year:04d}-Q{_quarter(start)}"
    return start.isoformat()[: {Grain.DAY: 10, Grain.MONTH: 7, Grain.YEAR: 4}[grain]]


def name_of(start: date, grain: Grain) -> str:
    """Return a period's name for a sentence: `March 2024`."""
    if grain is Grain.YEAR:
        return f"{start.year:04d}"
    if grain is Grain.WEEK:
        year, week, _ = start.isocalendar()
        return f"week {week} of {year:04d}"
    if grain is Grain.QUARTER:
        return f"Q{_quarter(start)} {start.year:04d}"
    month = f"{MONTHS[start.month - 1]} {start.year:04d}"
    return month if grain is Grain.MONTH else f"{start.day} {month}"


def start_of(day: date, grain: Grain) -> date:
    """Return the first day of the period that a day is in."""
    if grain is Grain.WEEK:
        return day - timedelta(days=day.weekday())
    month = {Grain.QUARTER: 3 * _quarter(day) - 2, Grain.YEAR: 1}.get(grain, day.month)
    return day if grain is Grain.DAY else day.replace(month=month, day=1)


def following(start: date, grain: Grain) -> date:
    """Return the first day of the next period."""
    if grain in (Grain.DAY, Grain.WEEK):
        return start + timedelta(days=1 if grain is Grain.DAY else 7)
    months = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}[grain]
    years, month = divmod(start.month - 1 + months, 12)
    return start.replace(year=start.year + years, month=1 if grain is Grain.YEAR else month + 1)


def year_before(start: date) -> date | None:
    """Return the same day a year earlier, where it exists."""
    if (start.month, start.day) == (2, 29):
        return None
    return start.replace(year=start.year - 1)


def earlier_year(start: date, grain: Grain) -> date | None:
    """Return the first day of the same period a year earlier, where there is one: no year is the same year."""
    if grain is Grain.YEAR:
        return None
    if grain is not Grain.WEEK:
        return year_before(start)
    year, week, _ = start.isocalendar()
    try:
        return date.fromisocalendar(year - 1, week, 1)
    except ValueError:
        # Only some years have a week 53.
        return None


def _quarter(day: date) -> int:
    return (day.month + 2) // 3
