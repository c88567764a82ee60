"""Ids that begin alike, as a stretch of an index."""

from uuid import UUID

_DIGITS = 32


def id_range(prefix: str) -> tuple[UUID, UUID] | None:
    """Return the first and the last id that begin so; None where none can."""
    digits = prefix.replace("-", "")
    if len(digits) > _DIGITS:
        return None
    return UUID(digits.ljust(_DIGITS, "0")), UUID(digits.ljust(_DIGITS, "f"))
