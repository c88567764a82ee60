"""How much time is left, as a person reads it."""

from datetime import datetime, timedelta

URGENT = timedelta(hours=1)


def time_left(until: datetime, *, now: datetime) -> str:
    """Return how long it is until then: the two largest units, rounded down."""
    left = until - now
    if left <= timedelta(0):
        return "over"
    minutes = int(left.total_seconds()) // 60
    units = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    largest = next((place for place, (count, _) in enumerate(units) if count), None)
    if largest is None:
        return "in less than a minute"
    return "in " + " ".join(f"{count} {unit}" for count, unit in units[largest : largest + 2] if count)


def is_urgent(until: datetime, *, now: datetime) -> bool:
    """Say whether less than an hour is left."""
    return until - now < URGENT
