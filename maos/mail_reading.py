"""Reading a message: any bytes become a message with its faults; nothing raises, nothing is lost."""

import hashlib
import re
from collections.abc import Collection, Sequence
from email.message import EmailMessage, Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import Policy, compat32, default
from typing import Any

from maos.mail import LONGEST_TEXT, EnclosedMail, FaultKind, MailFault, MailKind, Person, ReadMail, clean, line_of
from maos.mail_headers import date_of, ids_in, people_of, raw_headers, text_header
from maos.mail_html import visible_text
from maos.mail_kinds import kind_of
from maos.mail_parts import MISFITS, MOST_PARTS, Parts, media_type_of, parts_of
from maos.mail_text import split_text

MOST_BYTES = 25_000_000
# Of a message that is too large: its headers and the beginning of its text.
HEAD_BYTES = 400_000
_LONGEST_QUOTE = 4000
_LONGEST_ENCLOSED = 4000
_MOST_ENCLOSED = 3
_MOST_ATTACHMENTS = 50
_MOST_HEADER_BYTES = 100_000
_LONGEST_HEADER = 8_000
# A header with its continuation lines.
_HEADER = re.compile(rb"[^\n]*\n?(?:[ \t][^\n]*\n?)*")
_MOST_NESTING = 60
_NESTING = re.compile(rb"boundary[*0-9]*[ \t]*=|message/(?:rfc822|global|partial|external-body)", re.IGNORECASE)


class _TooManyParts(ValueError):
    """A message has more parts than are read."""


def read_mail(content: bytes, *, own: Collection[str] = (), cut_from: int | None = None) -> ReadMail:
    """Return a message as it can be read.

    Args:
        own: the addresses that we send from ourselves.
        cut_from: its size, where only its beginning is given.
    """
    size = cut_from or len(content)
    faults: list[MailFault] = []
    if size > min(len(content), MOST_BYTES):
        content = content[:HEAD_BYTES]
        faults.append(_fault(FaultKind.TOO_LARGE, f"it has {size:,} bytes; only its beginning was read"))
    try:
        message = _parsed(content, faults)
        return _read(message, faults, size=size, own=own)
    except MISFITS as error:
        faults.append(_fault(FaultKind.UNREADABLE, f"its parts cannot be read: {type(error).__name__}"))
        return unread(content, faults, size=size)


def unread(content: bytes, faults: Sequence[MailFault], *, size: int) -> ReadMail:
    """Return a message of which nothing is known but its bytes and why they could not be read."""
    text = content[:LONGEST_TEXT].decode("utf-8", errors="replace")
    from_bytes = hashlib.sha256(content).hexdigest()
    return ReadMail(text=_kept(text), size=size, faults=tuple(faults), fingerprint=from_bytes)


def _parsed(content: bytes, faults: list[MailFault]) -> Message:
    """Parse under the modern policy; under the old one where that gives up; the headers alone where both do."""
    if len(_NESTING.findall(content)) > _MOST_NESTING:
        # Counted before anything is parsed: the parser takes quadratic time over them.
        faults.append(_fault(FaultKind.TOO_DEEP, f"more than {_MOST_NESTING} of its parts hold parts; none was read"))
        return _head_of(content)
    content = _with_short_headers(content, faults)
    for policy in (default, compat32):
        parts = 0

        def counted(policy: "Policy[Any]" = policy) -> Message:
            nonlocal parts
            parts += 1
            if parts > MOST_PARTS:
                raise _TooManyParts
            return EmailMessage(policy=policy) if policy is default else Message(policy=policy)

        try:
            return BytesParser(counted, policy=policy).parsebytes(content)
        except _TooManyParts:
            faults.append(_fault(FaultKind.TOO_MANY_PARTS, f"it has more than {MOST_PARTS} parts; none was read"))
            break
        except RecursionError:
            faults.append(_fault(FaultKind.TOO_DEEP, "its parts are nested without end; none was read"))
            break
        except MISFITS as error:
            faults.append(_fault(FaultKind.MALFORMED, f"the parser gave up on it: {type(error).__name__}"))
    return _head_of(content)


def _with_short_headers(content: bytes, faults: list[MailFault]) -> bytes:
    """Return a message whose headers the parser can read in good time."""
    separator = b"\r\n\r\n" if b"\r\n\r\n" in content[: 10 * _MOST_HEADER_BYTES] else b"\n\n"
    head, end, body = content.partition(separator)
    if len(head) <= _LONGEST_HEADER:
        return content
    kept = [found[0][:_LONGEST_HEADER] for found in _HEADER.finditer(head)]
    short = b"".join(kept)[:_MOST_HEADER_BYTES]
    if short != head:
        faults.append(_fault(FaultKind.TOO_LARGE, "its headers are too long; only the beginning of each was read"))
    return short.rstrip(b"\r\n") + (end + body if end else b"")


def _head_of(content: bytes) -> Message:
    return BytesHeaderParser(policy=compat32).parsebytes(content)


def _read(message: Message, faults: list[MailFault], *, size: int, own: Collection[str]) -> ReadMail:
    headers = raw_headers(message)
    parts = parts_of(message)
    text, text_faults = _text_of(parts)
    split = split_text(text)
    sender, answer_to, sender_faults = _sender_of(message)
    subject = text_header(message, "subject")
    kind, reason = kind_of(headers, sender, subject, media_type=media_type_of(message), own=own)
    ids, above, sent_at = ids_in(headers, "message-id"), ids_in(headers, "in-reply-to"), date_of(headers)
    missing = [
        *((_fault(FaultKind.NO_ID, "it has no usable Message-ID"),) if not ids else ()),
        *((_fault(FaultKind.NO_DATE, "it has no usable date"),) if sent_at is None else ()),
    ]
    return ReadMail(
        subject=subject,
        sender=sender,
        answer_to=answer_to if kind is MailKind.PERSON else None,
        sent_at=sent_at,
        message_id=ids[0] if ids else None,
        in_reply_to=above[0] if above else None,
        references=tuple(ids_in(headers, "references")),
        kind=kind,
        kind_reason=reason,
        text=_kept(split.new),
        quoted=_kept(split.quoted, _LONGEST_QUOTE),
        signature=_kept(split.signature, 1000),
        attachments=tuple(parts.attachments[:_MOST_ATTACHMENTS]),
        enclosed=tuple(map(_enclosed, parts.enclosed[:_MOST_ENCLOSED])),
        size=size,
        faults=(*faults, *parts.faults, *text_faults, *sender_faults, *missing),
        fingerprint=_fingerprint(ids, sender, subject, headers.get("date", []), text),
    )


def _text_of(parts: Parts) -> tuple[str, list[MailFault]]:
    """Return what a person reads, and what is to be said of it."""
    plain = "\n\n".join(part.strip() for part in parts.plain if part.strip())
    pages = [visible_text(page) for page in parts.html]
    faults = []
    if hidden := sum(page.hidden for page in pages):
        faults.append(_fault(FaultKind.HIDDEN_TEXT, f"{hidden:,} characters that nobody sees were left out"))
    shown = "\n\n".join(page.text for page in pages if page.text)
    if not plain and shown:
        faults.append(_fault(FaultKind.HTML_ONLY, "it is HTML alone; its visible text was taken"))
    text = plain or shown
    if not text.strip():
        faults.append(_fault(FaultKind.EMPTY, "it has no text"))
    if len(text) > LONGEST_TEXT:
        faults.append(_fault(FaultKind.TOO_LONG, f"its text has {len(text):,} characters; {LONGEST_TEXT:,} were kept"))
    return text, faults


def _sender_of(message: Message) -> tuple[Person | None, str | None, list[MailFault]]:
    """Return who wrote a message and where an answer goes: nowhere, where that is in doubt."""
    writers = list({person.address: person for person in people_of(message, "from")}.values())
    if not writers:
        return None, None, [_fault(FaultKind.NO_SENDER, "it names no sender")]
    writer = writers[0]
    if len(writers) > 1 or len(raw_headers(message).get("from", [])) > 1:
        return writer, None, [_fault(FaultKind.SENDERS, "it names several senders; nobody is answered")]
    if not writer.sendable:
        return writer, None, [_fault(FaultKind.NO_SENDER, "no mail can be sent to its sender's address")]
    wanted = people_of(message, "reply-to")
    if wanted and any(person.address != writer.address for person in wanted):
        return _answered_elsewhere(writer, wanted)
    return writer, writer.address, []


def _answered_elsewhere(writer: Person, wanted: list[Person]) -> tuple[Person, str, list[MailFault]]:
    """Follow a wish to be answered elsewhere within the sender's own domain only: it may be anybody's wish."""
    domain = writer.address.rpartition("@")[2]
    if len(wanted) == 1 and wanted[0].sendable and wanted[0].address.rpartition("@")[2] == domain:
        return writer, wanted[0].address, []
    asked = ", ".join(person.address for person in wanted[:3])
    detail = f"it asks for answers to {asked}, outside of its sender's domain; they go to its sender"
    return writer, writer.address, [_fault(FaultKind.REPLY_ELSEWHERE, detail)]


def _enclosed(message: Message) -> EnclosedMail:
    text, _ = _text_of(parts_of(message))
    people = people_of(message, "from")
    return EnclosedMail(
        subject=text_header(message, "subject", 200),
        sender=people[0].address if people else "",
        text=_kept(text, _LONGEST_ENCLOSED),
    )


def _fingerprint(ids: Sequence[str], sender: Person | None, subject: str, dates: Sequence[str], text: str) -> str:
    """Return what copies of one message share, and two messages under one id do not."""
    parts = (ids[0] if ids else "", sender.address if sender else "", subject, *dates[:1], " ".join(text.split()))
    return hashlib.sha256("\0".join(parts).encode("utf-8", errors="replace")).hexdigest()


def _kept(text: str, longest: int = LONGEST_TEXT) -> str:
    shown = clean(text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _fault(kind: FaultKind, detail: str) -> MailFault:
    return MailFault(kind=kind, detail=line_of(detail, 300))
