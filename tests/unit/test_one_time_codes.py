"""One-time codes are those of RFC 6238, and each is good for one use."""

from base64 import b32encode
from datetime import UTC, datetime, timedelta

import pytest
from pyotp import HOTP

from maos.one_time_codes import (
    LOCKED_FOR,
    MOST_WRONG_CODES,
    app_address,
    locked_until,
    step_of,
    time_step,
    typed_code,
)

# RFC 6238, appendix B: the secret, the times and the last six of the eight digits, for SHA-1.
_RFC_SECRET = b32encode(b"12345678901234567890").decode()
_RFC_CODES = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]
NOON = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
_PRESENT = time_step(NOON)


def _code(step: int) -> str:
    return HOTP(_RFC_SECRET).at(step)


@pytest.mark.parametrize(("seconds", "code"), _RFC_CODES)
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)

    assert step_of(_RFC_SECRET, code, now=at) == seconds // 30


@pytest.mark.parametrize(
    ("offset", "found"), [(-2, None), (-1, _PRESENT - 1), (0, _PRESENT), (1, _PRESENT + 1), (2, None)]
)
def test_a_code_is_accepted_one_step_early_or_late_and_no_more(offset: int, found: int | None) -> None:
    code = _code(_PRESENT + offset)

    assert step_of(_RFC_SECRET, code, now=NOON) == found


def test_a_step_is_as_long_as_thirty_seconds() -> None:
    code = _code(_PRESENT)

    assert step_of(_RFC_SECRET, code, now=NOON + timedelta(seconds=59)) == _PRESENT
    assert step_of(_RFC_SECRET, code, now=NOON + timedelta(seconds=60)) is None
    assert step_of(_RFC_SECRET, code, now=NOON - timedelta(seconds=30)) == _PRESENT
    assert step_of(_RFC_SECRET, code, now=NOON - timedelta(seconds=31)) is None


def test_a_code_of_another_secret_is_none() -> None:
    other = b32encode(b"09876543210987654321").decode()

    assert step_of(other, _code(_PRESENT), now=NOON) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("12\u00a03\u2009456", "123456"),
        ("１２３４５６", "123456"),  # noqa: RUF001 - as some keyboards type digits
        ("000000", "000000"),
        ("", None),
        ("12345", None),
        ("1234567", None),
        ("12345a", None),
        ("+12345", None),
        ("١٢٣٤٥٦", None),
    ],
)
def test_what_people_type_is_read_as_six_digits(text: str, code: str | None) -> None:
    assert typed_code(text) == code


@pytest.mark.parametrize("wrong_codes", [MOST_WRONG_CODES, MOST_WRONG_CODES + 1, 100])
def test_five_wrong_codes_in_a_row_lock_and_each_one_after_them_again(wrong_codes: int) -> None:
    assert locked_until(wrong_codes, now=NOON) == NOON + LOCKED_FOR


def test_four_wrong_codes_lock_nobody() -> None:
    assert locked_until(MOST_WRONG_CODES - 1, now=NOON) is None


def test_an_app_reads_the_secret_the_person_and_the_issuer() -> None:
    address = app_address("reviewer+1@demo.example", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")

    assert address == (
        "otpauth://totp/maos:reviewer%2B1%40demo.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=maos"
    )
