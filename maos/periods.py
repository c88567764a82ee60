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
    """How long the periods of a trend are."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


def grain_for(*, days: int, months: int) -> Grain:
    """Choose the periods, from how many different days and months have data."""
    if months <= 1 or days <= 14:
        return Grain.DAY
    return Grain.MONTH if months <= MOST_MONTHS else Grain.YEAR


def label_of(start: date, grain: Grain) -> str:
    """Return a period's label for tables and charts: `2024-03`."""
    return start.isoformat()[: {Grain.DAY: 10, Grain.MONTH: 7, Grain.YEAR: 4}[grain]]


def name_of(start: date, grain: Grain) -> str:
    """Return a period's name for a sentence: `March 2024`."""
    if grain is Grain.YEAR:
        return f"{start.year:04d}"
    month = f"{MONTHS[start.month - 1]} {start.year:04d}"
    return month if grain is Grain.MONTH else f"{start.day} {month}"


def following(start: date, grain: Grain) -> date:
    """Return the first day of the next period."""
    if grain is Grain.DAY:
        return start + timedelta(days=1)
    if grain is Grain.MONTH and start.month < 12:
        return start.replace(month=start.month + 1)
    return start.replace(year=start.year + 1, month=1)


def year_before(start: date) -> date | None:
    """Return the same day a year earlier, where it exists."""
    if (start.month, start.day) == (2, 29):
        return None
    return start.replace(year=start.year - 1)
