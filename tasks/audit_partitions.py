"""Making room in the audit log for months to come."""

import time
from datetime import date

from sql import audit_partitions
from sql.database import PARTITION_MONTHS_AHEAD
from sql.session import system_session
from tasks.outages import outlasting

# Others are in the way for milliseconds, but somebody who verifies a long chain may be for a minute.
_PATIENCE_SECONDS, _PAUSE_SECONDS = 90.0, 0.3


def make_partitions() -> list[str]:
    """Give every month that lacks one its partition; say what was done, and what was not.

    Nothing depends on it at once: rows of a month without a partition are caught by the default one, and moved later.
    """
    with system_session() as session:
        months = audit_partitions.months_to_make(PARTITION_MONTHS_AHEAD, session=session)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    return [_said(month, made=_make_until(month, deadline)) for month in months]


def _said(month: date, *, made: bool) -> str:
    if made:
        return f"partition {month:%Y-%m} made"
    return f"partition {month:%Y-%m} not made: the audit log was in use; its rows are kept apart until the next time"


def _make_until(month: date, deadline: float) -> bool:
    while not _make(month):
        if time.monotonic() + _PAUSE_SECONDS > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


@outlasting
def _make(month: date) -> bool:
    # Each in a transaction of its own: its locks are held for milliseconds.
    with system_session() as session:
        return audit_partitions.make_partition(month, session=session)
