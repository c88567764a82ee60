"""A real SMTP server that keeps what it is handed, so that tests send mail over the wire, from any process.

    with MailReceiver() as mail:
        mail.will_cut()
        ...  # whoever sends to `mail.host`, `mail.port` is left without an answer
        assert mail.message_ids == ["<maos-1@sender.example>"]

Every message takes the next of the behaviours set by `will_...`; one that finds none is accepted.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from types import TracebackType
from typing import Any, Literal, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Delivered:
    """A message as it was accepted, with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    content: bytes

    @property
    def text(self) -> str:
        """What is to be read, with the line ends of a text."""
        part = self.message.get_body(("plain",))
        assert part is not None
        content = part.get_content()
        assert isinstance(content, str)
        return content.replace("\r\n", "\n")


@dataclass(frozen=True)
class Behaviour:
    """What becomes of one message: whether it is kept, and how its sender is answered."""

    kept: bool = True
    ending: Literal["answer", "stall", "cut"] = "answer"
    answer: str = "250 OK"
    # Whose message it is for; else the next one's.
    to: str | None = None


class MailReceiver:
    """The server at `host` and `port`; a context manager."""

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.messages: list[Delivered] = []
        # Every sender that was named, also of messages that nobody got.
        self.begun: list[str] = []
        self._login = login
        self._refused: dict[str, str] = {}
        self._behaviours: deque[Behaviour] = deque()
        listener = socket.create_server((self.host, 0))
        self.port: int = listener.getsockname()[1]
        self._controller = _Controller(
            _Handler(self),
            listener,
            port=self.port,
            ssl_context=tls,
            tls_context=starttls,
            require_starttls=starttls is not None,
            server_hostname="mail.example",
            auth_required=login is not None,
            auth_require_tls=False,
            authenticator=self._authenticated,
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def message_ids(self) -> list[str]:
        """The `Message-ID` of each accepted message, repetitions included."""
        return [each.message["Message-ID"] for each in self.messages]

    def will_refuse(self, address: str, answer: str = "550 no such mailbox") -> None:
        """Refuse this recipient, or sender, from now on."""
        self._refused[address] = answer

    def will_answer(self, answer: str, *, kept: bool = False) -> None:
        """Answer the next message so."""
        self._behaviours.append(Behaviour(kept=kept, answer=answer))

    def will_stall(self, *, kept: bool = True) -> None:
        """Take the next message and never answer."""
        self._behaviours.append(Behaviour(kept=kept, ending="stall"))

    def will_cut(self, *, kept: bool = True, to: str | None = None) -> None:
        """Take the next message, or the next one to an address, and close the connection instead of answering."""
        self._behaviours.append(Behaviour(kept=kept, ending="cut", to=to))

    def refusal_of(self, address: str) -> str | None:
        """Return what this address is refused with, if it is."""
        return self._refused.get(address)

    def next_behaviour(self, recipients: Sequence[str]) -> Behaviour:
        """Take the next behaviour for a message to these."""
        found = next((each for each in self._behaviours if each.to is None or each.to in recipients), None)
        if found is None:
            return Behaviour()
        self._behaviours.remove(found)
        return found

    def _authenticated(self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self._login, handled=False)


class _Controller(Controller):
    def __init__(self, handler: "_Handler", listener: socket.socket, **options: Any) -> None:
        super().__init__(handler, hostname=MailReceiver.host, **options)
        self._listener = listener

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        # On a port that is ours already, not on one that was free a moment ago.
        return self.loop.create_server(self._factory_invoker, sock=self._listener, ssl=self.ssl_context)


class _Handler:
    """The hooks of the library, which finds them by their names."""

    def __init__(self, receiver: MailReceiver) -> None:
        self._receiver = receiver

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._receiver.begun.append(address)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._receiver.refusal_of(address) or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if refusal := self._receiver.refusal_of(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        behaviour = self._receiver.next_behaviour(envelope.rcpt_tos)
        if behaviour.kept:
            self._receiver.messages.append(_delivered(envelope))
        if behaviour.ending == "cut" and server.transport:
            server.transport.close()
        if behaviour.ending != "answer":
            # Cancelled when the connection is gone, or the receiver ends.
            await asyncio.Event().wait()
        return behaviour.answer


def _delivered(envelope: Envelope) -> Delivered:
    content = envelope.original_content or b""
    message = message_from_bytes(content, EmailMessage, policy=WIRE)
    return Delivered(envelope.mail_from or "", tuple(envelope.rcpt_tos), message, content)
