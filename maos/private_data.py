"""Data that is recognised by its form, wherever it stands in a text."""

import re
import string
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum


class DataPattern(StrEnum):
    """A form of data that rules may name."""

    CARD_NUMBER = "card_number"
    IBAN = "iban"

    def occurs_in(self, text: str) -> bool:
        """Say whether a text holds such data, with check digits that are right."""
        form, is_one = _FORMS[self]
        return any(is_one(candidate) for found in form.finditer(text) for candidate in _candidates(found.group(1)))


def _candidates(found: str) -> Iterator[str]:
    # Words and numbers may follow it: it can end wherever a group ends.
    for end in [*(gap.start() for gap in re.finditer("[ -]", found)), len(found)]:
        yield re.sub("[ -]", "", found[:end]).upper()


def _is_card(number: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return 13 <= len(number) <= 19 and sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


_LETTERS_AS_NUMBERS = str.maketrans({letter: str(int(letter, 36)) for letter in string.ascii_uppercase})


def _is_iban(account: str) -> bool:
    if not 15 <= len(account) <= 34:
        return False
    return int((account[4:] + account[:4]).translate(_LETTERS_AS_NUMBERS)) % 97 == 1


# Looked ahead for, so that what begins inside a candidate is one as well.
_FORMS: Mapping[DataPattern, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    DataPattern.CARD_NUMBER: (re.compile(r"(?<![0-9])(?=([0-9](?:[ -]?[0-9]){12,18}(?![0-9])))"), _is_card),
    DataPattern.IBAN: (
        re.compile(r"(?<![A-Za-z0-9])(?=([A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])))", re.ASCII),
        _is_iban,
    ),
}
