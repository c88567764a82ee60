"""Finds the mailbox that a request names, and reads its messages in processes of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blocks.mailbox import Mailbox
from maos.errors import BadInput, EngineFailure
from maos.mail import FaultKind, MailFault, ReadMail
from maos.mail_reading import HEAD_BYTES, MOST_BYTES, read_mail, unread
from maos.mail_request import IMAP
from maos.settings import Settings
from tasks.apart import limit_memory, run_apart
from tasks.connections import mailbox
from tasks.mail_sources import MailSource, RawMail, file_source

_READING_SECONDS = 30.0
_READING_BYTES = 1 << 30


@dataclass(frozen=True)
class ImapSource:
    """Messages on an IMAP server."""

    box: Mailbox

    @property
    def place(self) -> str:
        """What the mailbox is called in the ledger."""
        return self.box.place

    def keys(self) -> list[str]:
        """Return the keys of all messages, the oldest first."""
        with self.box.open() as conversation:
            return conversation.keys(since=self.box.since)

    def fetch(self, keys: Sequence[str]) -> Iterator[tuple[str, RawMail | None]]:
        """Yield messages by their keys; nothing for those that are gone."""
        with self.box.open() as conversation:
            for key in keys:
                # One byte more than is read tells that there is more.
                found = conversation.fetch(key, most=MOST_BYTES + 1)
                yield key, _raw(*found) if found else None

    def mark_read(self, keys: Sequence[str]) -> None:
        """Have messages say on the server that they are read."""
        with self.box.open(changing=True) as conversation:
            conversation.mark_read(keys)


def _raw(content: bytes, size: int) -> RawMail:
    return RawMail(content[:HEAD_BYTES] if size > MOST_BYTES else content, size)


def source_of(source: str, *, org: str, settings: Settings) -> MailSource:
    """Return the mailbox that a request names.

    Raises:
        BadInput: when it is none that the organisation may read.
    """
    if not source.startswith(IMAP):
        return file_source(source, org=org, settings=settings)
    name = source.removeprefix(IMAP)
    try:
        box = mailbox(name)
    except ValueError:
        raise BadInput("source", source, "imap:NAME with the name of a Mailbox block") from None
    if box.org != org:
        # Not told whose it is.
        raise BadInput("source", source, f"imap:NAME with a Mailbox block of {org}")
    return ImapSource(box)


def own_addresses(source: MailSource, sender: str) -> frozenset[str]:
    """Return the addresses that are ours: what comes from them is not answered."""
    own = {sender, source.box.address} if isinstance(source, ImapSource) else {sender}
    return frozenset(address.lower() for address in own if address)


def read_apart(raw: RawMail, own: frozenset[str]) -> ReadMail:
    """Read a message in a process of its own: whatever it does to its reader, it is reported, and no other suffers."""

    def read() -> ReadMail:
        limit_memory(_READING_BYTES)
        return read_mail(raw.content, own=own, cut_from=raw.size)

    try:
        return run_apart(read, timeout_seconds=_READING_SECONDS)
    except (EngineFailure, MemoryError) as error:
        detail = f"reading it took too much time or memory: {type(error).__name__}"
        return unread(raw.content, [MailFault(kind=FaultKind.UNREADABLE, detail=detail)], size=raw.size)
