"""The rules of one-time codes: TOTP (RFC 6238) as every authenticator app reads it, each code good for one use."""

import hmac
import re
import unicodedata
from datetime import UTC, datetime, timedelta

from pyotp import HOTP, TOTP

ISSUER = "maos"
STEP_SECONDS = 30
MOST_WRONG_CODES = 5
LOCKED_FOR = timedelta(minutes=15)

# RFC 6238, section 5.2: clocks differ, and typing takes time. The newest first: it is not used yet.
_WINDOW = (1, 0, -1)
_CODE = re.compile(r"[0-9]{6}")
_BETWEEN_DIGITS = re.compile(r"[\s-]+")


def typed_code(text: str) -> str | None:
    """Return the six digits that somebody typed, with whatever spaces and hyphens, or None when there are no six."""
    digits = _BETWEEN_DIGITS.sub("", unicodedata.normalize("NFKC", text))
    return digits if _CODE.fullmatch(digits) else None


def time_step(now: datetime) -> int:
    """Return the number of the present step: a new one every thirty seconds since 1970."""
    return int(now.timestamp()) // STEP_SECONDS


def step_begins(step: int) -> datetime:
    """Return when a step begins."""
    return datetime.fromtimestamp(step * STEP_SECONDS, UTC)


def step_of(secret: str, code: str, *, now: datetime) -> int | None:
    """Return the step whose code this is: the present one, the one before or the one after it, or None."""
    present = time_step(now)
    generated = HOTP(secret)
    # All of them are compared, each in constant time: how long it takes tells nothing about the code.
    steps = [step for step in (present + offset for offset in _WINDOW) if hmac.compare_digest(generated.at(step), code)]
    return steps[0] if steps else None


def locked_until(wrong_codes: int, *, now: datetime) -> datetime | None:
    """Return until when a person is locked after so many wrong codes in a row.

    The count ends with a right code alone: after a lock one more wrong code locks again, so that guessing on gets one
    try every fifteen minutes.
    """
    return now + LOCKED_FOR if wrong_codes >= MOST_WRONG_CODES else None


def app_address(email: str, secret: str) -> str:
    """Return the otpauth address that an authenticator app scans; people are the same in all their organisations."""
    return TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)
