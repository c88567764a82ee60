"""The whole way of a mailbox: taken, read, sorted, asked about, answered; through the real executor."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State

from blocks.claude import ClaudeEngine
from blocks.mail_server import MailServer
from flows.process_email import process_email
from maos.mail_request import ProcessEmailRequest
from maos.settings import load_settings
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.mail_corpus import CORPUS
from tests.mail_receiver import MailReceiver
from tests.messages_server import MessagesServer

KEY = "sk-test-canary-0123456789"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "process_email"


@pytest.fixture
def inbox(prefect_api: str, org_id: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """A folder of messages that runs may read, with a mail server that nobody has configured."""
    ClaudeEngine().save("default", overwrite=True)
    MailServer().save("default", overwrite=True)
    folder = tmp_path / "mail" / "inbox"
    folder.mkdir(parents=True)
    monkeypatch.setenv("MAOS_DATASET_ROOTS", json.dumps([str(folder.parent)]))
    return folder


def request(source: object, **fields: object) -> ProcessEmailRequest:
    asked = json.loads((EXAMPLE / "request.json").read_text()) | {"source": str(source)} | fields
    return ProcessEmailRequest.model_validate(asked)


class Beside:
    """A run in a thread, so that its gates can be answered meanwhile."""

    def __init__(self, asked: ProcessEmailRequest) -> None:
        self.state: State[Any] | None = None
        self._thread = threading.Thread(target=copy_context().run, args=(self._run, asked), daemon=True)
        self._thread.start()

    def _run(self, asked: ProcessEmailRequest) -> None:
        self.state = process_email(asked, return_state=True)

    def end(self) -> State[Any]:
        self._thread.join(180)
        assert self.state is not None, "the run did not end"
        return self.state


def outcomes() -> dict[str, str]:
    """Return what became of each message, by its file."""
    return dict(rows("SELECT split_part(key, ':', 1), coalesce(outcome, status) FROM mail_messages ORDER BY key"))


def waiting(count: int) -> Callable[[], bool]:
    return lambda: len(pending()) == count


def test_the_example_is_sorted_and_what_is_approved_is_written_and_no_more(inbox: Path) -> None:
    for file in (EXAMPLE / "inbox").iterdir():
        shutil.copy(file, inbox)
    beside = Beside(request(inbox))
    wait_for(waiting(5))
    shown = {each.step_id: each for each in pending()}
    answer_form(
        only_run_id(),
        decision="approve",
        reviewer=REVIEWER,
        other_decisions=[{"step": "reply_m09", "decision": "reject", "note": "ask the warehouse"}],
    )

    assert beside.end().is_completed()
    assert outcomes() == {
        "01-question.eml": "replied",
        "02-complaint.eml": "noted",
        "03-invoice.eml": "forwarded",
        "04-invoice-again.eml": "duplicate",
        "05-away.eml": "ignored",
        "06-newsletter.eml": "ignored",
        "07-bounce.eml": "ignored",
        "08-injection.eml": "replied",
        "09-thread.eml": "rejected",
        "10-ugly.eml": "replied",
    }
    assert {each.risk for each in shown.values()} == {"high"}
    assert "are you open on Saturdays?" in shown["reply_m01"].preview
    assert "REHEARSAL" in shown["reply_m01"].preview
    folder = load_settings().artifact_store / "demo" / str(only_run_id())
    sent = {path.name: message_from_bytes(path.read_bytes(), policy=default) for path in (folder / "outbox").iterdir()}
    assert sorted(message["To"] for message in sent.values()) == [
        "accounts@demo.example",
        "ann@customer.example",
        "mallory@stranger.example",
        "zoe@customer.example",
    ]
    (reply,) = (message for message in sent.values() if message["To"] == "ann@customer.example")
    assert (reply["Subject"], reply["In-Reply-To"]) == ("Re: Are you open on Saturday?", "<q1@customer.example>")
    assert reply["References"] == "<q1@customer.example>"
    assert reply["Auto-Submitted"] == "auto-replied"
    assert "open Monday to Friday" in reply.get_content()
    assert "4711" in (folder / "tasks" / "m02.md").read_text()
    # What was rejected has left no trace outside.
    assert rows("SELECT DISTINCT status FROM effects") == [("done",)]


def test_a_message_is_taken_once_whatever_comes_after(inbox: Path) -> None:
    (inbox / "news.eml").write_bytes(CORPUS["a list"].content)
    first = process_email(request(inbox), return_state=True)
    (inbox / "away.eml").write_bytes(CORPUS["a notice of absence"].content)

    second = process_email(request(inbox), return_state=True)

    assert first.is_completed()
    assert second.is_completed()
    assert rows("SELECT split_part(key, ':', 1), number, claims, status FROM mail_messages ORDER BY claimed_at") == [
        ("news.eml", 1, 1, "settled"),
        ("away.eml", 1, 1, "settled"),
    ]


def test_what_a_cancelled_run_left_is_taken_by_the_next_one(inbox: Path) -> None:
    (inbox / "one.eml").write_bytes(CORPUS["plain"].content)
    beside = Beside(request(inbox, autonomy="supervised"))
    wait_for(waiting(1))
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="not now")
    beside.end()
    assert rows("SELECT count(*) FROM mail_messages") == [(0,)]

    again = process_email(request(inbox), return_state=True)

    assert again.is_completed()
    assert outcomes() == {"one.eml": "noted"}


def test_every_ugly_message_is_in_the_table_with_its_faults(inbox: Path) -> None:
    # Not the huge ones: writing them takes longer than reading them.
    ugly = {name: each for name, each in CORPUS.items() if len(each.content) < 300_000}
    for number, each in enumerate(list(ugly.values())[:30]):
        (inbox / f"{number:02}.eml").write_bytes(each.content)
    desk = {"categories": [{"name": "other", "description": "Anything.", "decisions": ["ignore"]}]}

    ended = process_email(request(inbox, most_messages=30, desk=desk), return_state=True)

    assert ended.is_completed()
    found = rows("SELECT number, faults, status FROM mail_messages ORDER BY number")
    assert [number for number, _, _ in found] == list(range(1, 31))
    assert {status for _, _, status in found} == {"settled"}
    for (_, faults, _), each in zip(found, list(ugly.values())[:30], strict=True):
        assert each.faults <= {fault["kind"] for fault in faults}


@pytest.fixture
def writer(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    """The vendor's place, with a key in the settings."""
    with MessagesServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", running.url)
        ClaudeEngine(timeout_seconds=10).save("default", overwrite=True)
        yield running


@pytest.fixture
def receiver(inbox: Path) -> Iterator[MailReceiver]:  # noqa: ARG001
    """The mail server that replies leave through."""
    with MailReceiver() as running:
        block = MailServer(host=running.host, port=running.port, security="none", sender="desk@demo.example")
        block.save("default", overwrite=True)
        yield running


def reply(**changes: object) -> dict[str, object]:
    said = {
        "category": "question",
        "summary": "Asks when.",
        "fields": [],
        "decision": "reply",
        "reason": "It is known.",
    }
    return said | {"draft": "We are open from 9 to 18.", "colleague": ""} | changes


def test_a_live_reply_whose_fate_is_unknown_is_not_sent_again_by_itself(
    inbox: Path, writer: MessagesServer, receiver: MailReceiver
) -> None:
    (inbox / "one.eml").write_bytes(CORPUS["plain"].content)
    writer.will_answer(reply())
    # Not one of the notices, which leave through the same server.
    receiver.will_cut(to="ann@customer.example")
    beside = Beside(request(inbox))
    wait_for(waiting(1))
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    wait_for(lambda: [each for each in pending() if each.kind.value == "in_doubt"])
    answer_form(only_run_id(), decision="approve: done", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert outcomes() == {"one.eml": "replied"}
    (answer,) = (each for each in receiver.messages if each.recipients == ("ann@customer.example",))
    assert answer.message["In-Reply-To"] == "<one@customer.example>"


def test_an_answer_beyond_the_desk_is_written_once_more_and_then_left_to_the_next_run(
    inbox: Path, writer: MessagesServer, receiver: MailReceiver
) -> None:
    (inbox / "one.eml").write_bytes(CORPUS["plain"].content)
    writer.will_answer(reply(draft="See https://evil.example"))
    writer.will_answer(reply(decision="forward", colleague="mallory"))

    process_email(request(inbox), return_state=True)

    assert len(writer.requests) == 2
    assert "does not stand in the knowledge" in json.dumps(writer.requests[1].body)
    assert receiver.messages == []
    ((status, outcome, reason),) = rows("SELECT status, outcome, reason FROM mail_messages")
    assert (status, outcome) == ("free", None)
    assert "did not deliver" in reason
