"""The headers of a message: as the standard library's modern policy reads them, and by hand where it gives up."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from maos.mail import LONGEST_LINE, Person, clean, line_of
from maos.mail_parts import MISFITS

_ID = re.compile(r"<([^<>\s\x00-\x1f]{1,250})>")
_MOST_REFERENCES = 30
_LONGEST_HEADER = 20_000
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)


def raw_headers(message: Message) -> dict[str, list[str]]:
    """Return every value of each header as it came, unfolded, by its name in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        text = re.sub(r"\r?\n(?=[ \t])", "", str(value)[:_LONGEST_HEADER])
        found.setdefault(str(name).lower(), []).append(_shown(text))
    return found


def _shown(text: str) -> str:
    # Bytes that are no ASCII come as lone surrogates.
    raw = text.encode("utf-8", errors="surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def text_header(message: Message, name: str, longest: int = LONGEST_LINE) -> str:
    """Return a header as a line of text, decoded."""
    try:
        value = message[name]
        text = "" if value is None else str(value)
    except MISFITS:
        text = ""
    if not text or "\N{REPLACEMENT CHARACTER}" in text:
        text = _by_hand(raw_headers(message).get(name.lower(), [""])[0]) or text
    return line_of(text.strip(), longest)


def _by_hand(raw: str) -> str:
    parts = []
    try:
        for part, charset in decode_header(raw):
            parts.append(part if isinstance(part, str) else _decoded(part, charset))
    except MISFITS:
        return raw
    return "".join(parts)


def _decoded(part: bytes, charset: str | None) -> str:
    try:
        return part.decode(charset or "utf-8")
    except (LookupError, ValueError):
        return part.decode("cp1252", errors="replace")


def people_of(message: Message, name: str) -> list[Person]:
    """Return everybody that the headers of a name name."""
    people = []
    for raw in raw_headers(message).get(name.lower(), []):
        for shown, address in _addresses(raw):
            if "@" in address:
                # A name must not look like another address.
                people.append(Person(name=line_of(_by_hand(shown), 100), address=line_of(address, 320).lower()))
    return people


def _addresses(raw: str) -> list[tuple[str, str]]:
    try:
        return getaddresses([raw])
    except MISFITS:
        return []


def ids_in(headers: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """Return the message ids of a header, without their brackets' content being changed; the newest many ones."""
    found = [f"<{match}>" for value in headers.get(name, ()) for match in _ID.findall(value)]
    unique = list(dict.fromkeys(each for each in found if each.isascii() and clean(each) == each))
    if len(unique) <= _MOST_REFERENCES:
        return unique
    return [unique[0], *unique[1 - _MOST_REFERENCES :]]


def date_of(headers: Mapping[str, Sequence[str]]) -> datetime | None:
    """Return when a message says it was sent, in UTC; nothing where that is no date, or none of mail's time."""
    for value in headers.get("date", ())[:1]:
        try:
            said = parsedate_to_datetime(value[:200])
            said = said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
        except (*MISFITS, OverflowError):
            return None
        return said if said >= _EARLIEST else None
    return None
