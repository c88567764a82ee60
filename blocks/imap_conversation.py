"""One conversation with an IMAP server: messages are looked at without changing them, and marked when told to."""

import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Literal, Self

from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.labels import printable

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_MOST_AT_ONCE = 200


@dataclass(frozen=True)
class ImapAccess:
    """Where a mailbox is, and how it is entered."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str
    password: str
    folder: str
    timeout_seconds: float


class ImapConversation:
    """A conversation from the login to LOGOUT; a context manager. Every failure is an `EngineFailure`."""

    def __init__(self, access: ImapAccess, *, changing: bool = False) -> None:
        self._access = access
        self._changing = changing
        self.validity = ""

    def __enter__(self) -> Self:
        with self._failing("connecting"):
            self._imap = self._connected()
        try:
            self._log_in()
            self._select()
        except EngineFailure:
            self._part()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._part()

    def keys(self, *, since: date | None) -> list[str]:
        """Return a key of each message, the oldest first: UIDs mean nothing without the folder's validity."""
        with self._failing("searching"):
            wanted = ("SINCE", f"{since.day:02}-{_MONTHS[since.month - 1]}-{since.year}") if since else ("ALL",)
            found = self._said(self._imap.uid("SEARCH", *wanted), "the search")
        uids = sorted({int(uid) for line in found if isinstance(line, bytes) for uid in line.split()})
        return [f"{self.validity}:{uid}" for uid in uids]

    def fetch(self, key: str, *, most: int) -> tuple[bytes, int] | None:
        """Return the beginning of a message and its size, without marking it as read; nothing where it is gone."""
        validity, _, uid = key.partition(":")
        if validity != self.validity:
            return None
        with self._failing("fetching"):
            answer = self._said(self._imap.uid("FETCH", uid, f"(RFC822.SIZE BODY.PEEK[]<0.{most}>)"), "the fetch")
        content = b"".join(part[1] for part in answer if isinstance(part, tuple))
        said = b" ".join(part[0] if isinstance(part, tuple) else part or b"" for part in answer)
        size = _SIZE.search(said)
        return (content, max(int(size[1]), len(content))) if size else None

    def mark_read(self, keys: Sequence[str]) -> None:
        """Mark messages as read; those of another validity are none of this folder's."""
        uids = [key.partition(":")[2] for key in keys if key.partition(":")[0] == self.validity]
        for start in range(0, len(uids), _MOST_AT_ONCE):
            some = ",".join(uids[start : start + _MOST_AT_ONCE])
            with self._failing("marking"):
                self._said(self._imap.uid("STORE", some, "+FLAGS.SILENT", r"(\Seen)"), "the marking")

    def _connected(self) -> imaplib.IMAP4:
        access = self._access
        if access.security == "tls":
            context = ssl.create_default_context()
            return imaplib.IMAP4_SSL(access.host, access.port, ssl_context=context, timeout=access.timeout_seconds)
        imap = imaplib.IMAP4(access.host, access.port, timeout=access.timeout_seconds)
        if access.security == "starttls":
            imap.starttls(ssl_context=ssl.create_default_context())
        return imap

    def _log_in(self) -> None:
        try:
            self._imap.login(self._access.username, self._access.password)
        except imaplib.IMAP4.abort:
            raise _failure(FailureKind.UNREACHABLE, "the connection ended while logging in") from None
        except imaplib.IMAP4.error:
            # The words of the server are left out: they may repeat what was sent.
            raise _failure(FailureKind.NOT_PERMITTED, "it refuses the login") from None
        except OSError:
            raise _failure(FailureKind.UNREACHABLE, "the connection ended while logging in") from None

    def _select(self) -> None:
        folder = '"' + self._access.folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
        with self._failing("opening the folder"):
            self._said(self._imap.select(folder, readonly=not self._changing), "the folder")
            validity = self._imap.response("UIDVALIDITY")[1]
        if not validity or not isinstance(validity[0], bytes) or not validity[0].isdigit():
            raise _failure(FailureKind.UNREACHABLE, "it does not say how long its UIDs are valid")
        self.validity = validity[0].decode()

    # The library's answers: bytes, or pairs of what was said and a literal.
    def _said(
        self, answer: tuple[str, Sequence[bytes | tuple[bytes, bytes] | None]], what: str
    ) -> Sequence[bytes | tuple[bytes, bytes] | None]:
        status, data = answer
        if status != "OK":
            words = data[0].decode(errors="replace") if data and isinstance(data[0], bytes) else ""
            raise _failure(FailureKind.BAD_REQUEST, f"it refuses {what}: {printable(words, 200)}")
        return data

    @contextmanager
    def _failing(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (imaplib.IMAP4.error, OSError) as error:
            raise _failure(FailureKind.UNREACHABLE, f"{doing} failed: {printable(str(error), 200)}") from None

    def _part(self) -> None:
        with suppress(imaplib.IMAP4.error, OSError):
            self._imap.logout()


def _failure(kind: FailureKind, what: str) -> EngineFailure:
    return EngineFailure(kind, f"mailbox: {what}")
