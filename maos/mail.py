"""A message as it was read: what it says, who sent it, what it carries, and everything that was wrong with it."""

import re
import unicodedata
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import ArtifactRef
from maos.mail_addresses import MAILBOX

LONGEST_TEXT = 12_000
LONGEST_LINE = 500
_SENDABLE = re.compile(MAILBOX)
_LONGEST_ADDRESS = 254


class FaultKind(StrEnum):
    """What can be wrong with a message; each is reported, none stops the reading."""

    MALFORMED = "malformed"
    UNKNOWN_CHARSET = "unknown_charset"
    WRONG_CHARSET = "wrong_charset"
    BROKEN_ENCODING = "broken_encoding"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TOO_MANY_PARTS = "too_many_parts"
    TOO_LONG = "too_long"
    EMPTY = "empty"
    HTML_ONLY = "html_only"
    HIDDEN_TEXT = "hidden_text"
    NO_SENDER = "no_sender"
    SENDERS = "several_senders"
    REPLY_ELSEWHERE = "reply_elsewhere"
    NO_DATE = "no_date"
    NO_ID = "no_message_id"
    UNREADABLE = "unreadable"


class MailKind(StrEnum):
    """What sent it: only what a person has written is ever answered."""

    PERSON = "person"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    LIST = "list"
    OWN = "own"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class MailFault(_Value):
    """Something that is wrong with a message, and how it was dealt with."""

    kind: FaultKind
    detail: str


class Person(_Value):
    """A person or machine as a header names it."""

    name: str = ""
    address: str

    @property
    def sendable(self) -> bool:
        """Whether mail can be sent there."""
        return len(self.address) <= _LONGEST_ADDRESS and _SENDABLE.fullmatch(self.address) is not None


class Attachment(_Value):
    """A file that comes with a message; its content is not looked into."""

    name: str
    media_type: str
    size: int = Field(description="Bytes as they travelled, before anything is decoded.")


class EnclosedMail(_Value):
    """A message inside a message."""

    subject: str
    sender: str
    text: str


class ReadMail(_Value):
    """A message as it was read."""

    subject: str = ""
    sender: Person | None = Field(default=None, description="Who wrote it, as its header says; nobody vouches for it.")
    answer_to: str | None = Field(default=None, description="Where an answer goes; empty: nowhere.")
    sent_at: datetime | None = None
    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = Field(default=(), description="The thread above it, the oldest first.")
    kind: MailKind = MailKind.PERSON
    kind_reason: str = Field(default="", description="What tells that no person wrote it.")
    text: str = Field(default="", description="What is new in it, without quotes and signature.")
    quoted: str = Field(default="", description="What it quotes.")
    signature: str = ""
    attachments: tuple[Attachment, ...] = ()
    enclosed: tuple[EnclosedMail, ...] = ()
    size: int = Field(default=0, description="Bytes.")
    faults: tuple[MailFault, ...] = ()
    fingerprint: str = Field(default="", description="The same for copies of one message, whichever way they came.")

    @property
    def thread(self) -> str | None:
        """The first message of its thread."""
        return self.references[0] if self.references else self.in_reply_to or self.message_id

    @property
    def unreadable(self) -> bool:
        """Whether nothing of it could be read."""
        return any(fault.kind is FaultKind.UNREADABLE for fault in self.faults)


class TakenMail(ReadMail):
    """A message that a run has taken."""

    number: int = Field(description="Its place in the run.")
    file: ArtifactRef | None = Field(default=None, description="The message as it came; empty where it was gone.")


def clean(text: str) -> str:
    """Return text that JSON and the database can keep: no lone surrogates, no control characters but line ends."""
    return "".join(char if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"} else _SEEN for char in text)


_SEEN = "\N{REPLACEMENT CHARACTER}"


def line_of(text: str, longest: int = LONGEST_LINE) -> str:
    """Return text as one line."""
    line = " ".join(clean(text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
