"""What becomes of email on the wire: sent once, certainly not sent, or honestly unknown."""

import base64
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from blocks.mail_server import MailServer
from maos.errors import EngineFailure
from maos.failures import FailureKind
from tests.certificates import make_certificate, serving
from tests.mail_receiver import MailReceiver
from tests.scripted_server import ScriptedServer

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")

SENDER = "runs@maos.example"
PASSWORD = "correct horse"
EHLO = b"250-mail.example\r\n250 SIZE 1000000\r\n"
# A loaded machine keeps a deadline late; one that is not kept is never met, or after the 30 seconds of the block.
SOON = 20
UNTIL_DATA = (b"220 hello\r\n", EHLO, b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n")


@pytest.fixture
def receiver() -> Iterator[MailReceiver]:
    with MailReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def block(server: MailReceiver | ScriptedServer, **fields: Any) -> MailServer:
    return MailServer(**{"host": server.host, "port": server.port, "security": "none", "sender": SENDER} | fields)


def mail(*to: str, body: str = "Good morning.\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = ", ".join(to or ("ann@example.com",))
    message["Subject"] = "Sales"
    message["Message-ID"] = "<maos-1@maos.example>"
    message.set_content(body)
    return message


def failure(server: MailServer, message: EmailMessage | None = None, *, seconds: float = 5.0) -> EngineFailure:
    with pytest.raises(EngineFailure) as raised:
        server.send(message or mail(), timeout_seconds=seconds)
    assert raised.value.__cause__ is None
    return raised.value


# Sent.


def test_a_message_arrives_as_it_left_for_everybody_it_is_addressed_to(receiver: MailReceiver) -> None:
    body = "Grüße\n.\n.dot\n\nFrom here\n" + "long " * 300 + "\n"

    block(receiver).send(mail("ann@example.com", "bob@example.com", body=body), timeout_seconds=5)

    (sent,) = receiver.messages
    assert (sent.sender, sent.recipients) == (SENDER, ("ann@example.com", "bob@example.com"))
    assert sent.text == body
    assert receiver.message_ids == ["<maos-1@maos.example>"]
    assert sent.content.isascii()
    assert max(map(len, sent.content.split(b"\r\n"))) <= 998


def test_lines_of_dots_neither_end_a_message_nor_get_lost(receiver: MailReceiver) -> None:
    body = ".\n..\n.QUIT\nMAIL FROM:<evil@example.com>\n"

    block(receiver).send(mail(body=body), timeout_seconds=5)

    assert [sent.text for sent in receiver.messages] == [body]


def test_a_server_that_says_no_farewell_has_taken_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blocks.smtp_conversation._FAREWELL_SECONDS", 0.1)
    lines = mail().as_bytes().count(b"\n")
    with ScriptedServer((*UNTIL_DATA, *[b""] * lines, b"250 taken\r\n", b""), then="wait") as server:
        block(server).send(mail(), timeout_seconds=5)

    assert server.heard[-2:] == [b".\r\n", b"quit\r\n"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_sent_encrypted_after_a_login(
    security: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with MailReceiver(login=("runs", PASSWORD), **{security: serving(certificate)}) as receiver:
        block(receiver, security=security, username="runs", password=SecretStr(PASSWORD)).send(
            mail(), timeout_seconds=5
        )

    assert len(receiver.messages) == 1


# Certainly not sent.


@pytest.mark.parametrize("fields", [{"host": ""}, {"sender": ""}, {"username": "runs"}])
def test_a_block_that_is_not_filled_in_sends_nothing(receiver: MailReceiver, fields: dict[str, str]) -> None:
    assert failure(block(receiver, **fields)).kind is FailureKind.NOT_CONFIGURED
    assert receiver.begun == []


def test_a_password_that_cannot_be_sent_is_not_repeated(receiver: MailReceiver) -> None:
    error = failure(block(receiver, username="runs", password=SecretStr("pässword")))

    assert error.kind is FailureKind.NOT_CONFIGURED
    assert "pässword" not in str(error)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with MailReceiver() as gone:
        pass

    assert failure(block(gone)).kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70])
def test_a_host_that_is_not_known_is_unreachable(receiver: MailReceiver, host: str) -> None:
    assert failure(block(receiver, host=host)).kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize(
    "replies",
    [
        (b"554 go away\r\n",),
        (b"421 busy\r\n",),
        (b"SSH-2.0-x\r\n",),
        (b"",),
        (b"220 hello\r\n", b"500 what\r\n", b"500 what\r\n"),
        (b"220 hello\r\n",),
        (b"220 hello\r\n", EHLO, b""),
        (b"220 hello\r\n", EHLO, b"whatever\r\n", b""),
        (*UNTIL_DATA[:-1], b"250 no go\r\n", b""),
        UNTIL_DATA,
    ],
    ids=lambda replies: replies[-1].decode().strip() or f"closed after {len(replies) - 1}",
)
def test_a_conversation_that_ends_before_the_message_has_sent_nothing(replies: tuple[bytes, ...]) -> None:
    # More than fits into the buffers between the two: the end is noticed while the message is on its way.
    message = mail(body="0123456789\n" * 1_000_000)
    with ScriptedServer(replies) as server:
        assert failure(block(server), message).kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize("said", [(), (b"220 hello\r\n", EHLO)], ids=["greeting", "sender"])
def test_a_server_that_drips_before_the_message_is_left_at_the_deadline(said: tuple[bytes, ...]) -> None:
    began = time.monotonic()
    with ScriptedServer((*said, b"2"), then="drip") as server:
        assert failure(block(server, timeout_seconds=0.3)).kind is FailureKind.UNREACHABLE

    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_ends_the_conversation(security: str, certificate: Path) -> None:
    with MailReceiver(**{security: serving(certificate)}) as receiver:
        assert failure(block(receiver, security=security)).kind is FailureKind.UNREACHABLE

    assert receiver.begun == []


def test_a_server_that_cannot_encrypt_gets_neither_password_nor_message(receiver: MailReceiver) -> None:
    server = block(receiver, security="starttls", username="runs", password=SecretStr(PASSWORD))

    error = failure(server)

    assert (error.kind, error.retryable) == (FailureKind.NOT_CONFIGURED, False)
    assert receiver.begun == []


def test_a_login_that_is_refused_is_not_permitted() -> None:
    with MailReceiver(login=("runs", "another")) as receiver:
        error = failure(block(receiver, username="runs", password=SecretStr(PASSWORD)))

    assert error.kind is FailureKind.NOT_PERMITTED
    assert PASSWORD not in repr(error)
    assert receiver.begun == []


def test_a_login_that_is_not_offered_is_not_permitted(receiver: MailReceiver) -> None:
    error = failure(block(receiver, username="runs", password=SecretStr(PASSWORD)))

    assert error.kind is FailureKind.NOT_PERMITTED


@pytest.mark.parametrize(
    ("answer", "kind"), [(b"454 later", FailureKind.OVERLOADED), (b"535 no", FailureKind.NOT_PERMITTED)]
)
def test_an_error_does_not_repeat_the_password_whatever_the_server_says(answer: bytes, kind: FailureKind) -> None:
    encoded = base64.b64encode(f"\0runs\0{PASSWORD}".encode())
    said = answer + b" " + PASSWORD.encode() + b" " + encoded + b"\r\n"
    with ScriptedServer((b"220 hello\r\n", b"250-mail\r\n250 AUTH PLAIN\r\n", said)) as server:
        error = failure(block(server, username="runs", password=SecretStr(PASSWORD)))

    assert error.kind is kind
    assert PASSWORD not in repr(error)
    assert encoded.decode() not in repr(error)


def test_an_error_after_the_login_does_not_repeat_the_password_either() -> None:
    replies = (b"220 hello\r\n", b"250-mail\r\n250 AUTH PLAIN\r\n", b"235 welcome\r\n", b"550 " + PASSWORD.encode())
    with ScriptedServer((*replies[:-1], replies[-1] + b"\r\n", b"250 reset\r\n")) as server:
        error = failure(block(server, username="runs", password=SecretStr(PASSWORD)))

    assert error.detail == f"mail server: it answers the sender {SENDER} with 550 [secret]"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("550 no such mailbox", FailureKind.BAD_REQUEST), ("451 try later", FailureKind.OVERLOADED)],
)
@pytest.mark.parametrize("refused", [SENDER, "bob@example.com"])
def test_if_one_recipient_is_refused_nobody_gets_the_message(
    receiver: MailReceiver, refused: str, answer: str, kind: FailureKind
) -> None:
    receiver.will_refuse(refused, answer)

    error = failure(block(receiver), mail("ann@example.com", "bob@example.com", "eve@example.com"))

    assert error.kind is kind
    assert f"{refused} with {answer}" in error.detail
    assert (receiver.begun, receiver.messages) == ([SENDER], [])


def test_a_refused_recipient_takes_the_others_back() -> None:
    replies = (*UNTIL_DATA[:-1], b"550 no such mailbox\r\n", b"250 reset\r\n")
    with ScriptedServer(replies) as server:
        failure(block(server), mail("ann@example.com", "bob@example.com"))

    assert server.heard[-1].lower() == b"rset\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"), [("554 spam", FailureKind.BAD_REQUEST), ("452 full", FailureKind.OVERLOADED)]
)
def test_a_message_that_is_refused_was_not_sent(receiver: MailReceiver, answer: str, kind: FailureKind) -> None:
    receiver.will_answer(answer)

    error = failure(block(receiver))

    assert error.kind is kind
    assert answer in error.detail
    assert receiver.messages == []


def test_a_message_that_is_too_large_is_refused_before_it_is_sent() -> None:
    with ScriptedServer((b"220 hello\r\n", EHLO, b"552 too large\r\n", b"250 reset\r\n")) as server:
        assert failure(block(server)).kind is FailureKind.BAD_REQUEST

    assert b" size=" in server.heard[1].lower()


# Unknown.


def test_a_connection_that_breaks_instead_of_an_answer_leaves_it_open(receiver: MailReceiver) -> None:
    receiver.will_cut()

    assert failure(block(receiver)).kind is FailureKind.INTERRUPTED
    assert receiver.message_ids == ["<maos-1@maos.example>"]


def test_a_server_that_does_not_answer_in_time_leaves_it_open(receiver: MailReceiver) -> None:
    receiver.will_stall()
    began = time.monotonic()

    assert failure(block(receiver), seconds=2).kind is FailureKind.TIMED_OUT
    assert time.monotonic() - began < SOON
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("reply", [b"hm\r\n", b"354 go on\r\n", b"250-half", b"250" + b" " * 9000], ids=len)
def test_an_answer_that_says_neither_yes_nor_no_leaves_it_open(reply: bytes) -> None:
    lines = mail().as_bytes().count(b"\n")
    with ScriptedServer((*UNTIL_DATA, *[b""] * lines, reply)) as server:
        assert failure(block(server)).kind is FailureKind.INTERRUPTED


def test_an_answer_that_drips_is_left_at_the_deadline() -> None:
    lines = mail().as_bytes().count(b"\n")
    began = time.monotonic()
    with ScriptedServer((*UNTIL_DATA, *[b""] * lines, b"2"), then="drip") as server:
        assert failure(block(server), seconds=2).kind is FailureKind.TIMED_OUT

    assert time.monotonic() - began < SOON


# The block.


def test_the_block_is_configured_with_a_host_and_a_sender() -> None:
    assert MailServer(host="mail.example", sender=SENDER).configured
    assert not MailServer().configured


@pytest.mark.parametrize("fields", [{"sender": "a\r\nb@c.d"}, {"sender": "x"}, {"port": 0}, {"security": "ssl"}])
def test_a_block_with_a_wrong_field_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MailServer.model_validate(fields)


def test_the_block_shows_its_password_to_nobody() -> None:
    server = MailServer(password=SecretStr(PASSWORD))

    assert PASSWORD not in repr(server) + str(server) + server.model_dump_json()
    assert MailServer.get_block_type_slug() == "mail-server"
