"""A mailbox on a real IMAP server: looked at without changing it, each message once, marked when told to."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from blocks.mailbox import Mailbox
from maos.errors import BadInput, EngineFailure
from maos.failures import FailureKind
from maos.settings import Settings
from tasks.mail_sources import RawMail, file_source
from tasks.mailboxes import ImapSource, own_addresses, read_apart
from tests.certificates import make_certificate, serving
from tests.mail_corpus import CORPUS, mail
from tests.mailbox_server import MailboxServer

LOGIN = ("desk", "hidden-9c2b")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailboxServer]:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with MailboxServer(login=LOGIN, tls=serving(certificate)) as running:
        yield running


def box_of(server: MailboxServer, **fields: object) -> Mailbox:
    values: dict[str, object] = {
        "org": "demo",
        "host": server.host,
        "port": server.port,
        "username": LOGIN[0],
        "password": LOGIN[1],
        "timeout_seconds": 10,
    }
    return Mailbox.model_validate(values | fields)


def test_messages_are_read_over_tls_and_stay_unread(server: MailboxServer) -> None:
    server.put(mail("One"), mail("Two"))
    source = ImapSource(box_of(server))

    keys = source.keys()

    assert keys == ["7:1", "7:2"]
    assert [(key, raw.content if raw else None) for key, raw in source.fetch(keys)] == [
        ("7:1", mail("One")),
        ("7:2", mail("Two")),
    ]
    assert server.read == set()
    assert "SELECT" not in server.said


def test_messages_are_marked_as_read_when_told(server: MailboxServer) -> None:
    server.put(mail("One"), mail("Two"), mail("Three"))

    ImapSource(box_of(server)).mark_read(["7:1", "7:3", "6:2"])

    assert server.read == {1, 3}


def test_uids_of_another_validity_are_other_messages(server: MailboxServer) -> None:
    server.put(mail("One"))
    source = ImapSource(box_of(server))
    keys = source.keys()
    server.validity = 8

    assert list(source.fetch(keys)) == [("7:1", None)]
    assert source.keys() == ["8:1"]


def test_a_message_that_is_gone_is_told_apart_from_an_empty_one(server: MailboxServer) -> None:
    server.put(b"")

    assert list(ImapSource(box_of(server)).fetch(["7:1", "7:9"])) == [("7:1", RawMail(b"", 0)), ("7:9", None)]


def test_messages_from_before_a_day_are_left_to_the_server(server: MailboxServer) -> None:
    server.put(mail("One"))

    assert ImapSource(box_of(server, since=date(2026, 11, 3))).keys() == ["7:1"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"password": "hidden-7f3a"}, FailureKind.NOT_PERMITTED),
        ({"password": "hidden-ö"}, FailureKind.NOT_CONFIGURED),
        ({"folder": "Nowhere"}, FailureKind.BAD_REQUEST),
        ({"port": 1}, FailureKind.UNREACHABLE),
    ],
)
def test_a_mailbox_that_cannot_be_read_says_why_and_no_password(
    server: MailboxServer, fields: dict[str, object], kind: FailureKind
) -> None:
    with pytest.raises(EngineFailure) as refused:
        ImapSource(box_of(server, **fields)).keys()

    assert refused.value.kind is kind
    assert "hidden" not in str(refused.value)


def test_a_server_that_nobody_vouches_for_is_not_told_the_password(
    server: MailboxServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "nobody.pem"
    empty.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))

    with pytest.raises(EngineFailure) as refused:
        ImapSource(box_of(server)).keys()

    assert refused.value.kind is FailureKind.UNREACHABLE
    assert server.said == []


def test_a_mailbox_that_nobody_has_filled_in_is_not_opened_and_is_nobodys() -> None:
    with pytest.raises(EngineFailure, match="names no host"):
        Mailbox().open()
    assert Mailbox().org == ""


def test_our_own_addresses_are_those_of_the_mailbox_and_of_what_sends(server: MailboxServer) -> None:
    source = ImapSource(box_of(server, address="Desk@demo.example"))

    assert own_addresses(source, "runs@demo.example") == {"desk@demo.example", "runs@demo.example"}


# Files.


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", dataset_roots=[tmp_path / "mail"])


def test_a_maildir_is_read_whatever_its_flags_become(tmp_path: Path, settings: Settings) -> None:
    box = tmp_path / "mail" / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    (box / "new" / "2.b").write_bytes(mail("Two"))
    (box / "cur" / "1.a:2,S").write_bytes(mail("One"))
    source = file_source(str(box), org="demo", settings=settings)
    keys = source.keys()
    (box / "new" / "2.b").rename(box / "cur" / "2.b:2,RS")

    assert keys == source.keys() == ["1.a", "2.b"]
    assert [raw.content if raw else None for _, raw in source.fetch(["2.b", "gone"])] == [mail("Two"), None]


def test_an_mbox_knows_its_messages_by_their_content_and_copies_as_copies(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "mail" / "box.mbox"
    file.parent.mkdir()
    one = b"From a@x Mon Nov  3 10:00:00 2025\n" + mail("One").replace(b"\r\n", b"\n") + b"\n\n"
    file.write_bytes(one + one.replace(b"One", b"Two") + one)
    source = file_source(str(file), org="demo", settings=settings)
    keys = source.keys()
    before = file.read_bytes()

    assert len(set(keys)) == 3
    assert [key.rpartition(".")[2] for key in keys] == ["1", "1", "2"]
    assert [b"Two" in raw.content for _, raw in source.fetch(keys) if raw] == [False, True, False]
    assert list(source.fetch(["gone.1"])) == [("gone.1", None)]
    assert file.read_bytes() == before


def test_a_folder_of_messages_follows_no_link(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (tmp_path / "secret.eml").write_bytes(b"secret")
    (folder / "link.eml").symlink_to(tmp_path / "secret.eml")
    (folder / "one.eml").write_bytes(mail("One"))
    (folder / "notes.txt").write_text("no message")

    keys = file_source(str(folder), org="demo", settings=settings).keys()

    assert [key.partition(":")[0] for key in keys] == ["one.eml"]


@pytest.mark.parametrize("source", ["/etc/passwd", "../../etc", "nowhere", "\0"])
def test_other_files_of_the_machine_are_out_of_reach(settings: Settings, source: str) -> None:
    with pytest.raises(BadInput):
        file_source(source, org="demo", settings=settings)


@pytest.mark.parametrize("name", ["plain", "parts in parts without end", "noise", "nothing at all"])
def test_a_message_is_read_in_a_process_of_its_own(name: str) -> None:
    content = CORPUS[name].content

    found = read_apart(RawMail(content, len(content)), frozenset())

    assert found.size == len(content)
    assert CORPUS[name].faults <= {fault.kind for fault in found.faults}


def test_a_message_that_breaks_its_reader_is_reported_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: object, **_options: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tasks.mailboxes.read_mail", breaks)

    found = read_apart(RawMail(b"Subject: x\n\nHello", 17), frozenset())

    assert found.unreadable
    assert "Hello" in found.text
