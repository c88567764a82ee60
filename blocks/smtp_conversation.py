"""One conversation with a mail server, in which it is always known whether the message can have been sent."""

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from blocks.cutoff import Cutoff
from blocks.public_addresses import look_up
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.labels import printable

_LINE_WITH_DOT = re.compile(rb"(?m)^\.")
# The message is sent by then: nobody waits long for the server's farewell.
_FAREWELL_SECONDS = 2.0


class SmtpConversation:
    """A conversation from the connection to QUIT; a context manager.

    Every failure is an `EngineFailure`. Only the last step of `deliver` leaves open whether the message was sent;
    its kinds, INTERRUPTED and TIMED_OUT, stand for nothing else.
    """

    def __init__(self, cutoff: Cutoff, *, password: str) -> None:
        self._cutoff = cutoff
        self._password = password
        # Given a name, it does not search for its own; the real one is set with the connection.
        self._smtp = smtplib.SMTP(local_hostname="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._smtp.close()

    def open(self, host: str, port: int, *, encrypted: bool) -> None:
        """Connect and hear the greeting."""
        with self._nothing_sent("connecting"):
            self._smtp.sock = self._connection(host, port)
            self._smtp.local_hostname = _literal(self._smtp.sock)
            if encrypted:
                self._encrypt(host)
            code, text = self._smtp.getreply()
            if code != 220:
                raise self._failure(FailureKind.UNREACHABLE, f"the greeting is {code} {_text(text)}")
            self._smtp.ehlo_or_helo_if_needed()

    def start_encryption(self, host: str) -> None:
        """Encrypt a conversation that began in the clear; one that cannot be encrypted ends."""
        with self._nothing_sent("starting encryption"):
            if not self._smtp.has_extn("starttls"):
                raise self._failure(FailureKind.NOT_CONFIGURED, "it offers no STARTTLS")
            code, text = self._smtp.docmd("STARTTLS")
            if code != 220:
                raise self._failure(FailureKind.UNREACHABLE, f"STARTTLS is answered with {code} {_text(text)}")
            self._encrypt(host)
            # What it said of itself in the clear counts no more.
            self._smtp.ehlo_resp = self._smtp.helo_resp = None
            self._smtp.ehlo_or_helo_if_needed()

    def log_in(self, username: str) -> None:
        """Log in with the password of this conversation."""
        # The words of the server are left out: they may repeat what was sent.
        with self._nothing_sent("logging in"):
            try:
                self._smtp.login(username, self._password)
            except smtplib.SMTPAuthenticationError as error:
                kind = FailureKind.OVERLOADED if error.smtp_code < 500 else FailureKind.NOT_PERMITTED
                raise self._failure(kind, f"it refuses the login with {error.smtp_code}") from None
            except smtplib.SMTPServerDisconnected:
                raise
            except smtplib.SMTPException:
                raise self._failure(FailureKind.NOT_PERMITTED, "it offers no way to log in") from None

    def deliver(self, content: bytes, *, sender: str, recipients: Sequence[str]) -> None:
        """Send a message, of whole lines, to all of its recipients or to none."""
        with self._nothing_sent("sending"):
            with self._taking_back():
                self._envelope(sender, recipients, size=len(content))
                self._expect(354, self._smtp.docmd("DATA"), "the message")
            self._smtp.send(_LINE_WITH_DOT.sub(b"..", content))
        with self._perhaps_sent():
            self._smtp.send(b".\r\n")
            reply = self._smtp.getreply()
        if reply[0] // 100 not in {2, 4, 5}:
            raise self._doubt()
        self._expect(250, reply, "the message")
        self._part()

    def _connection(self, host: str, port: int) -> socket.socket:
        failure: OSError = OSError("no address")
        for address in look_up(host, port, seconds=self._cutoff.remaining()):
            try:
                connection = socket.create_connection((str(address), port), timeout=self._cutoff.remaining())
            except OSError as error:
                failure = error
                continue
            # From here the cutoff is the only deadline. Undelayed: the final dot is a small packet of its own.
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._cutoff.watch(connection)
            return connection
        raise failure

    def _encrypt(self, host: str) -> None:
        if self._smtp.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        self._smtp.sock = ssl.create_default_context().wrap_socket(self._smtp.sock, server_hostname=host)
        # Whatever came in the clear is not read as if it had come encrypted.
        self._smtp.file = None

    def _envelope(self, sender: str, recipients: Sequence[str], *, size: int) -> None:
        options = [f"size={size}"] if self._smtp.has_extn("size") else []
        self._expect(250, self._smtp.mail(sender, options), f"the sender {sender}")
        for recipient in recipients:
            self._expect(250, self._smtp.rcpt(recipient), f"the recipient {recipient}")

    def _expect(self, wanted: int, reply: tuple[int, bytes], what: str) -> None:
        code, text = reply
        if code // 100 == wanted // 100:
            return
        kind = {4: FailureKind.OVERLOADED, 5: FailureKind.BAD_REQUEST}.get(code // 100, FailureKind.UNREACHABLE)
        raise self._failure(kind, f"it answers {what} with {code} {_text(text)}")

    def _failure(self, kind: FailureKind, what: str) -> EngineFailure:
        shown = what.replace(self._password, "[secret]") if self._password else what
        return EngineFailure(kind, f"mail server: {shown}")

    @contextmanager
    def _taking_back(self) -> Iterator[None]:
        """Reset the transaction when one part of it is refused: nobody gets the message."""
        try:
            yield
        except EngineFailure:
            with suppress(OSError):
                self._smtp.rset()
            raise

    @contextmanager
    def _nothing_sent(self, doing: str) -> Iterator[None]:
        try:
            yield
        # Every error of smtplib is an OSError.
        except OSError as error:
            # Not chained: the error may hold what was said while logging in.
            raise self._failure(FailureKind.UNREACHABLE, f"{doing} failed: {printable(str(error), 200)}") from None

    @contextmanager
    def _perhaps_sent(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            raise self._doubt() from None

    def _doubt(self) -> EngineFailure:
        kind = FailureKind.TIMED_OUT if self._cutoff.expired else FailureKind.INTERRUPTED
        return self._failure(kind, "it did not say whether it took the message")

    def _part(self) -> None:
        with suppress(OSError):
            if self._smtp.sock is not None:
                self._smtp.sock.settimeout(_FAREWELL_SECONDS)
            self._smtp.quit()


def _literal(connection: socket.socket) -> str:
    """Return this machine's address as SMTP wants it from those who have no public name."""
    address = str(connection.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _text(reply: bytes) -> str:
    return printable(reply.decode(errors="replace"), 200)
