"""Ids that begin alike, as a stretch of an index."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

_DIGITS = 32


def ids_like(column: UUID, prefix: str, *, session: Session) -> Sequence[UUID]:
    """Return at most two ids that begin with the prefix: enough to say whether it is unique.

    Args:
        column: the one of the table's class that has the ids.
    """
    digits = prefix.replace("-", "")
    if len(digits) > _DIGITS:
        return []
    # Between the first and the last id that begin so: the index on the ids knows where.
    first, last = UUID(digits.ljust(_DIGITS, "0")), UUID(digits.ljust(_DIGITS, "f"))
    return session.exec(select(column).where(col(column).between(first, last)).limit(2)).all()
