"""Times as people give them."""

from datetime import UTC, datetime

import click

DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


def utc(time: datetime | None) -> datetime | None:
    """Return a time without a zone as one in UTC."""
    return time.replace(tzinfo=UTC) if time else None
