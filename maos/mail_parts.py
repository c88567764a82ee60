"""The parts of a message: walked within limits, texts decoded whatever their charset claims, the rest counted."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.errors import (
    InvalidBase64CharactersDefect,
    InvalidBase64LengthDefect,
    InvalidBase64PaddingDefect,
    MessageError,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
)
from email.message import Message

from maos.mail import LONGEST_TEXT, Attachment, FaultKind, MailFault, clean, line_of

MOST_PARTS = 500
MOST_DEPTH = 20
# What the standard library raises of messages that it did not expect.
MISFITS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    MessageError,
)
# Codecs of Python that no mail means; some of them take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
_BROKEN_BASE64 = (InvalidBase64CharactersDefect, InvalidBase64LengthDefect, InvalidBase64PaddingDefect)
_MALFORMED = (NoBoundaryInMultipartDefect, MultipartInvariantViolationDefect)
# More of a text than is kept, so that quotes and markup can be taken out of it.
_LONGEST_DECODED = 40 * LONGEST_TEXT
_TEXTS = {"text/plain": "plain", "text/html": "html"}


@dataclass
class Parts:
    """What the parts of a message hold."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    enclosed: list[Message] = field(default_factory=list)
    faults: list[MailFault] = field(default_factory=list)

    def note(self, kind: FaultKind, detail: str) -> None:
        """Report a fault, each once."""
        fault = MailFault(kind=kind, detail=line_of(detail, 200))
        if fault not in self.faults:
            self.faults.append(fault)


def parts_of(message: Message) -> Parts:
    """Return what a message holds, as far as the limits go."""
    found = Parts()
    for number, (part, depth) in enumerate(_walk(message)):
        if number >= MOST_PARTS:
            found.note(FaultKind.TOO_MANY_PARTS, f"only the first {MOST_PARTS} parts were read")
            break
        if depth > MOST_DEPTH:
            found.note(FaultKind.TOO_DEEP, f"parts more than {MOST_DEPTH} levels deep were left out")
            continue
        _take(part, found)
    return found


def _walk(message: Message) -> Iterator[tuple[Message, int]]:
    """Yield the parts in order, without those of enclosed messages; by hand, since nesting has no limit."""
    waiting: list[tuple[Message, int]] = [(message, 0)]
    while waiting:
        part, depth = waiting.pop()
        yield part, depth
        if depth <= MOST_DEPTH and media_type_of(part) != "message/rfc822":
            waiting.extend((child, depth + 1) for child in reversed(_children(part)))


def _children(part: Message) -> Sequence[Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def media_type_of(part: Message) -> str:
    """Return the type of a part, as plain text where nothing usable is said."""
    try:
        return part.get_content_type()
    except MISFITS:
        return "text/plain"


def _take(part: Message, found: Parts) -> None:
    if any(isinstance(defect, _MALFORMED) for defect in part.defects):
        found.note(FaultKind.MALFORMED, "its boundaries are not as it says")
    media_type = media_type_of(part)
    if media_type == "message/rfc822":
        found.enclosed.extend(_children(part)[:1])
        return
    if _children(part):
        return
    kind = None if _is_file(part) else _TEXTS.get(media_type)
    if kind is None and media_type.startswith("multipart/"):
        # Without a single boundary its content is text.
        kind = "plain"
    if kind is None:
        found.attachments.append(_attachment(part, media_type))
        return
    text = _text_of(part, found)
    (found.html if kind == "html" else found.plain).append(text)


def _is_file(part: Message) -> bool:
    try:
        return part.get_content_disposition() == "attachment" or bool(part.get_filename())
    except MISFITS:
        return False


def _attachment(part: Message, media_type: str) -> Attachment:
    try:
        name = part.get_filename() or ""
    except MISFITS:
        name = ""
    payload = part.get_payload()
    size = len(payload) if isinstance(payload, str) else 0
    return Attachment(name=line_of(name, 200), media_type=line_of(media_type, 100), size=size)


def _text_of(part: Message, found: Parts) -> str:
    try:
        payload = part.get_payload(decode=True)
    except (*MISFITS, binascii.Error):
        payload = None
    if not isinstance(payload, bytes):
        found.note(FaultKind.BROKEN_ENCODING, "a text could not be decoded; it is kept as it came")
        raw = part.get_payload()
        payload = raw.encode(errors="surrogateescape") if isinstance(raw, str) else b""
    if any(isinstance(defect, _BROKEN_BASE64) for defect in part.defects):
        found.note(FaultKind.BROKEN_ENCODING, "its base64 is broken; what could be decoded was kept")
        payload = _whole_groups(part) or payload
    if len(payload) > _LONGEST_DECODED:
        found.note(FaultKind.TOO_LONG, f"only the first {_LONGEST_DECODED:,} bytes of its text were read")
        payload = payload[:_LONGEST_DECODED]
    return clean(_decoded(payload, _charset_of(part), found).replace("\r\n", "\n").replace("\r", "\n"))


def _whole_groups(part: Message) -> bytes:
    """Decode what is whole of a broken base64 text; the standard library leaves one of a wrong length as it is."""
    raw = part.get_payload()
    letters = re.sub(r"[^A-Za-z0-9+/]", "", raw) if isinstance(raw, str) else ""
    return base64.b64decode(letters[: len(letters) // 4 * 4])


def _charset_of(part: Message) -> str:
    try:
        return str(part.get_content_charset() or "us-ascii")
    except MISFITS:
        return "us-ascii"


def _decoded(payload: bytes, charset: str, found: Parts) -> str:
    if charset.lower().replace("-", "_") in _NO_CHARSETS:
        found.note(FaultKind.UNKNOWN_CHARSET, f"the charset {charset!r} is none of mail's")
        return _guessed(payload)
    try:
        return payload.decode(charset)
    except UnicodeError:
        if charset != "us-ascii":
            found.note(FaultKind.WRONG_CHARSET, f"its text is not in {charset!r}, as it says")
    except (LookupError, ValueError):
        found.note(FaultKind.UNKNOWN_CHARSET, f"nobody knows the charset {charset!r}")
    return _guessed(payload)


def _guessed(payload: bytes) -> str:
    """Decode what names no charset, or a wrong one: as UTF-8 where it is, else as most of the older mail is."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        # Cut in the middle of a character: the rest of it is UTF-8 all the same.
        if error.end == len(payload) and error.start >= len(payload) - 3:
            return payload.decode("utf-8", errors="replace")
    return payload.decode("cp1252", errors="replace")
