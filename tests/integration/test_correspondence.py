"""Replies and forwards as they are sent: into their thread, to one recipient, with the message as its file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blocks.mail_server import MailServer
from maos.errors import EngineFailure
from maos.mail import TakenMail
from maos.mail_desk import AnsweredMail, MailDecision, MailDesk
from maos.mail_reading import read_mail
from maos.mail_routes import act_of, routed
from maos.rendering import render
from tasks.files import read_file, write_file
from tasks.services import correspondence
from tasks.services.correspondence import ForwardParameters, ReplyParameters, forward_mail, preview, reply_mail
from tasks.services.registry import SERVICES, ServiceCall
from tests.integration.test_effect_services import KEY, RUN
from tests.mail_corpus import mail
from tests.mail_receiver import MailReceiver

DESK = MailDesk.model_validate(
    {
        "signature": "The desk",
        "colleagues": [{"name": "boss", "addresses": ["boss@shop.example"]}],
        "categories": [{"name": "any", "description": "Anything."}],
    }
)
LONG = "<" + "x" * 200 + "@customer.example>"


@pytest.fixture
def receiver() -> Iterator[MailReceiver]:
    with MailReceiver() as running:
        yield running


def call_of(folder: Path, decision: MailDecision, tool: object, **words: str) -> ServiceCall[Any]:
    content = mail("When do you open?", f"In-Reply-To: {LONG}\r\nReferences: <first@x> {LONG}\r\n")
    file = write_file(folder, "inbox/m01.eml", content, "message/rfc822")
    message = TakenMail(**dict(read_mail(content)), number=1, file=file)
    said = {"category": "any", "summary": "Asks.", "decision": decision, "reason": "So.", "colleague": "boss"}
    answer = AnsweredMail.model_validate(said | {"draft": "At nine."} | words)
    route = routed(message, DESK, answer)
    step = act_of(route, message, DESK, answer)
    assert step is not None
    inputs = {
        "mail": message.model_dump(mode="json"),
        "answer": answer.model_dump(mode="json"),
        "route": route.model_dump(mode="json"),
    }
    model = ReplyParameters if decision is MailDecision.REPLY else ForwardParameters
    body = render(str(step.parameters["body"]), inputs)
    return ServiceCall(model.model_validate({**step.parameters, "body": body}), inputs, folder, RUN, KEY, 5.0, tool)


def server_of(receiver: MailReceiver) -> MailServer:
    return MailServer(host=receiver.host, port=receiver.port, security="none", sender="desk@shop.example")


def test_a_reply_arrives_in_its_thread_at_who_wrote(receiver: MailReceiver, tmp_path: Path) -> None:
    reply_mail(call_of(tmp_path, MailDecision.REPLY, server_of(receiver)))

    (sent,) = receiver.messages
    assert sent.recipients == ("ann@customer.example",)
    assert sent.message["Subject"] == "Re: A question"
    assert sent.message["In-Reply-To"].strip() == "<one@customer.example>"
    assert sent.message["References"].split() == ["<first@x>", LONG, "<one@customer.example>"]
    assert sent.message["Auto-Submitted"] == "auto-replied"
    assert sent.text == "At nine.\n\n-- \nThe desk\n"
    assert receiver.message_ids == [f"<{KEY}@shop.example>"]


def test_a_forward_has_the_message_as_it_came(receiver: MailReceiver, tmp_path: Path) -> None:
    call = call_of(tmp_path, MailDecision.FORWARD, server_of(receiver))

    forward_mail(call)

    (sent,) = receiver.messages
    assert (sent.recipients, sent.message["Subject"]) == (("boss@shop.example",), "Fwd: A question")
    (original,) = sent.message.iter_attachments()
    assert original.get_content() == (tmp_path / "inbox" / "m01.eml").read_bytes()


def test_a_message_that_was_exchanged_since_is_not_passed_on(receiver: MailReceiver, tmp_path: Path) -> None:
    call = call_of(tmp_path, MailDecision.FORWARD, server_of(receiver))
    (tmp_path / "inbox" / "m01.eml").write_bytes(b"another")

    with pytest.raises(EngineFailure, match="has changed"):
        forward_mail(call)
    assert receiver.messages == []


def test_a_rehearsal_sends_nothing_and_writes_the_same_file_twice(receiver: MailReceiver, tmp_path: Path) -> None:
    call = call_of(tmp_path, MailDecision.REPLY, server_of(receiver))
    call = replace(call, run=replace(RUN, rehearsal=True))

    once, twice = reply_mail(call), reply_mail(call)

    assert receiver.messages == []
    assert once == twice
    assert b"At nine." in read_file(tmp_path, once.artifacts[0])


def test_a_reviewer_sees_the_message_the_recipient_and_the_words(tmp_path: Path) -> None:
    shown = preview(call_of(tmp_path, MailDecision.REPLY, None))

    assert shown.index("When do you open?") < shown.rindex(r"ann\@customer") < shown.rindex("At nine.")


def test_what_another_run_has_by_now_is_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correspondence, "holds_claim", lambda _run, _number: False)
    guard = SERVICES["reply_mail"].guard

    assert guard is not None
    assert SERVICES["forward_mail"].guard is guard
    with pytest.raises(EngineFailure, match="no longer this run's"):
        guard(call_of(tmp_path, MailDecision.REPLY, None))


def test_no_header_can_be_smuggled_in(tmp_path: Path) -> None:
    call = call_of(tmp_path, MailDecision.REPLY, None)

    for name, value in (
        ("in_reply_to", "<a@x>\r\nBcc: evil@x"),
        ("references", ["<a@x> <b@x>"]),
        ("to", ["a@x\r\nBcc: b@x"]),
    ):
        with pytest.raises(ValueError, match=name):
            ReplyParameters.model_validate(call.parameters.model_dump() | {name: value})
    smuggled = replace(call, parameters=call.parameters.model_copy(update={"subject": "a\r\nBcc: evil@x"}))
    with pytest.raises(EngineFailure, match="more than a line"):
        reply_mail(smuggled)
