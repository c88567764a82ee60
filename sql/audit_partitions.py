"""The partitions of the audit log, one a month."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import text
from sqlmodel import Session


def months_to_make(ahead: int, *, session: Session) -> Sequence[date]:
    """Return the months without a partition: of the present one and so many ahead, and of rows that lie apart."""
    return session.scalars(text("SELECT audit_months_to_make(:ahead)"), {"ahead": ahead}).all()


def make_partition(month: date, *, session: Session) -> bool:
    """Give a month its partition, with the rows that came before it; False: writers or readers were in the way."""
    return bool(session.scalar(text("SELECT make_audit_partition(:month)"), {"month": month}))
