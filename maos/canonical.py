"""One byte-exact form of a JSON value, so that its digest survives a trip through any store."""

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal


def canonical_json(value: object) -> str:
    """Return the value as JSON with sorted keys, no spaces, and whole floats as integers.

    Raises:
        ValueError: when a float is not finite.
        TypeError: when something in it is not JSON.
    """
    return json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: object) -> str:
    """Return the SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def plain(value: object) -> str | int | None:
    """Return a column's value as it stands in what is hashed: times in UTC, money without trailing zeros."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def _whole(value: object) -> object:
    # jsonb gives 1e16 back as an integer: both must have one form.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value
