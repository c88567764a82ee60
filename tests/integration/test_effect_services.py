"""The services with an effect on the world, called as the engine calls them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from blocks.mail_server import MailServer
from blocks.webhooks import Webhooks
from maos.effects import Effect, EffectKind, effect_key
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.fences import fenced
from maos.plan_check import check_plan
from maos.plans import Plan
from maos.rendering import render, template_fields
from maos.risk import RiskLevel
from maos.rules import Rules
from tasks.connections import mail_server, webhooks
from tasks.files import read_file
from tasks.services import checkpoint, email, webhook
from tasks.services.checkpoint import CheckpointParameters
from tasks.services.email import EmailParameters, send_email
from tasks.services.registry import SERVICES, ServiceCall
from tasks.services.webhook import WebhookParameters, call_webhook
from tests import service_runs
from tests.mail_receiver import MailReceiver
from tests.webhook_receiver import WebhookReceiver

ROOT = Path(__file__).parent.parent.parent
RUN = replace(service_runs.RUN, rehearsal=False)
KEY = effect_key(RUN.run_id, "tell")
# A step's id has at most 63 characters.
LONGEST_KEY = effect_key(RUN.run_id, "s" * 63)
SENDER = "runs@maos.example"
EMAIL = EmailParameters(to=("ann@example.com", "bob@example.com"), subject="Übersicht", body="Grüße\n\nmaos\n")


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with MailReceiver() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


def call_of(parameters: BaseModel, folder: Path, tool: object = None, *, key: str = KEY) -> ServiceCall[Any]:
    return ServiceCall(parameters, {}, folder, RUN, key, 5.0, tool)


def rehearsed(call: ServiceCall[Any]) -> ServiceCall[Any]:
    return replace(call, run=replace(RUN, rehearsal=True))


def server_of(mail: MailReceiver) -> MailServer:
    return MailServer(host=mail.host, port=mail.port, security="none", sender=SENDER)


def changed(model: BaseModel, **fields: object) -> BaseModel:
    return type(model).model_validate(model.model_dump() | fields)


def test_the_services_are_registered_with_what_they_do_to_the_world() -> None:
    found = {name: SERVICES[name].spec for name in ("send_email", "call_webhook", "checkpoint")}

    assert {name: spec.effect for name, spec in found.items()} == {
        "send_email": Effect(kind=EffectKind.EMAIL),
        "call_webhook": Effect(kind=EffectKind.WEBHOOK, repeatable_if="receiver_keeps_keys"),
        "checkpoint": None,
    }
    assert {name: (spec.risk, spec.always_asks, spec.read_only, spec.open_inputs) for name, spec in found.items()} == {
        "send_email": (RiskLevel.HIGH, False, False, True),
        "call_webhook": (RiskLevel.HIGH, False, False, True),
        "checkpoint": (RiskLevel.MEDIUM, True, True, True),
    }
    assert {name: template_fields(spec.parameters) for name, spec in found.items()} == {
        "send_email": {"subject", "body"},
        "call_webhook": {"body"},
        "checkpoint": {"question"},
    }
    assert {name: SERVICES[name].needs for name in found} == {
        "send_email": mail_server,
        "call_webhook": webhooks,
        "checkpoint": None,
    }


# Email.


def test_an_email_is_sent_with_an_id_made_from_its_key(mail: MailReceiver, tmp_path: Path) -> None:
    outcome = send_email(call_of(EMAIL, tmp_path, server_of(mail)))

    (sent,) = mail.messages
    assert (sent.sender, sent.recipients, sent.text) == (SENDER, EMAIL.to, EMAIL.body)
    assert (sent.message["From"], sent.message["Subject"]) == (SENDER, "Übersicht")
    assert sent.message["Message-ID"] == f"<{KEY}@maos.example>"
    assert outcome.output == {
        "message_id": f"<{KEY}@maos.example>",
        "to": ["ann@example.com", "bob@example.com"],
        "subject": "Übersicht",
        "rehearsed": False,
        "confirmed": False,
    }
    assert outcome.summary == "Sent the email to 2 addresses."
    assert list(tmp_path.iterdir()) == []


def test_a_repetition_has_the_same_id_however_long_the_key(mail: MailReceiver, tmp_path: Path) -> None:
    call = call_of(EMAIL, tmp_path, server_of(mail), key=LONGEST_KEY)

    send_email(call)
    send_email(call)

    assert mail.message_ids == [f"<{LONGEST_KEY}@maos.example>"] * 2
    assert f"<{LONGEST_KEY}@maos.example>".encode() in mail.messages[0].content


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subject": "Sales\r\nBcc: eve@example.com"}, "more than a line"),
        ({"subject": "Sales\u2028Bcc: eve@example.com"}, "more than a line"),
        ({"subject": "Sales\x00"}, "more than a line"),
        ({"body": "\x1b[2J"}, "no text"),
        ({"body": "\ud800"}, "no text"),
    ],
)
def test_what_is_no_text_is_not_sent(mail: MailReceiver, tmp_path: Path, fields: dict[str, str], reason: str) -> None:
    call = call_of(EMAIL.model_copy(update=fields), tmp_path, server_of(mail))

    with pytest.raises(EngineFailure, match=reason) as raised:
        send_email(call)
    assert raised.value.kind is FailureKind.BAD_REQUEST
    assert mail.begun == []


def test_without_a_mail_server_nothing_is_sent(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure) as raised:
        send_email(call_of(EMAIL, tmp_path, MailServer()))

    assert raised.value.kind is FailureKind.NOT_CONFIGURED


def test_an_email_whose_fate_is_unknown_is_recorded_as_a_person_confirms_it(mail: MailReceiver, tmp_path: Path) -> None:
    call = call_of(EMAIL, tmp_path, server_of(mail))
    mail.will_cut()
    with pytest.raises(EngineFailure) as raised:
        send_email(call)
    assert raised.value.kind is FailureKind.INTERRUPTED

    outcome = email.confirmed(call)

    assert outcome.output == send_email(call).output | {"confirmed": True}
    assert outcome.output["message_id"] == mail.message_ids[0]


@pytest.mark.parametrize("tool", [None, MailServer(), MailServer(host="mail.example", sender=SENDER)])
def test_a_rehearsed_email_is_a_file_and_always_the_same(tmp_path: Path, tool: MailServer | None) -> None:
    call = rehearsed(call_of(EMAIL, tmp_path, tool))

    first, second = send_email(call), send_email(call)

    assert first == second
    assert first.output["rehearsed"]
    (file,) = first.artifacts
    assert (file.name, file.media_type) == (f"outbox/{KEY}.eml", "message/rfc822")
    message = message_from_bytes(read_file(tmp_path, file), policy=SMTP)
    assert message["Message-ID"] == first.output["message_id"]
    assert message["To"] == "ann@example.com, bob@example.com"


@pytest.mark.parametrize(
    "to",
    [
        [],
        ["ann"],
        ["ann@example.com, eve@example.com"],
        ["ann@example.com\r\nBcc: eve@example.com"],
        ["Ann <ann@example.com>"],
        ["änn@example.com"],
        ["ann..b@example.com"],
        ["ann@example.com", "Ann@Example.com"],
        [f"ann{number}@example.com" for number in range(21)],
    ],
)
def test_addresses_are_plain_few_and_different(to: list[str]) -> None:
    with pytest.raises(ValidationError):
        changed(EMAIL, to=to)


def test_a_reviewer_reads_the_email_and_nothing_in_it_has_an_effect(tmp_path: Path) -> None:
    hostile = changed(
        EMAIL, to=["a`|*b*@example.com"], subject="# <b>Sales</b>\r\n\r\n# Approved", body="```\n# Approved"
    )

    text = email.preview(rehearsed(call_of(hostile, tmp_path)))

    assert text == (
        f"**REHEARSAL** Nothing is sent; the email becomes the file `outbox/{KEY}.eml`.\n\n"
        "Will be sent to:\n\n- a\\`\\|\\*b\\*\\@example\\.com\n\n"
        "**Subject:** \\# \\<b\\>Sales\\</b\\> \\# Approved\n\n"
        "````text\n```\n# Approved\n````\n"
    )
    assert not email.preview(call_of(EMAIL, tmp_path)).startswith("**REHEARSAL**")


# Webhooks.


def hook(receiver: WebhookReceiver, body: str = '{"total": 7}') -> WebhookParameters:
    return WebhookParameters(url=f"{receiver.url}?token=s3cret", body=body)


def test_a_webhook_is_called_with_the_key_of_its_step(receiver: WebhookReceiver, tmp_path: Path) -> None:
    receiver.will_answer(202, counted=True)

    outcome = call_webhook(call_of(hook(receiver), tmp_path, Webhooks(allow_private=True)))

    assert [(each.key, each.body) for each in receiver.deliveries] == [(KEY, {"total": 7})]
    assert outcome.output == {"url": receiver.url, "status": 202, "rehearsed": False, "confirmed": False}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", ["", "total: 7", "{} {}", "[NaN]", '"\ud800"', "[" * 50_000])
def test_a_body_that_is_no_json_is_not_delivered(receiver: WebhookReceiver, tmp_path: Path, body: str) -> None:
    call = call_of(WebhookParameters.model_construct(url=receiver.url, body=body), tmp_path, Webhooks())

    with pytest.raises(EngineFailure, match="not JSON") as raised:
        call_webhook(call)
    assert raised.value.kind is FailureKind.BAD_REQUEST
    assert receiver.deliveries + receiver.refused == []


def test_a_call_whose_fate_is_unknown_is_recorded_as_a_person_confirms_it(
    receiver: WebhookReceiver, tmp_path: Path
) -> None:
    call = call_of(hook(receiver), tmp_path, Webhooks(allow_private=True))
    receiver.will_cut()
    with pytest.raises(EngineFailure) as raised:
        call_webhook(call)
    assert raised.value.kind is FailureKind.INTERRUPTED

    assert webhook.confirmed(call).output == {
        "url": receiver.url,
        "status": None,
        "rehearsed": False,
        "confirmed": True,
    }


def test_a_rehearsed_call_is_a_file_and_always_the_same(receiver: WebhookReceiver, tmp_path: Path) -> None:
    call = rehearsed(call_of(hook(receiver), tmp_path))

    first, second = call_webhook(call), call_webhook(call)

    assert first == second
    assert first.output == {"url": receiver.url, "status": None, "rehearsed": True, "confirmed": False}
    (file,) = first.artifacts
    assert (file.name, file.media_type) == (f"outbox/{KEY}.json", "application/json")
    assert json.loads(read_file(tmp_path, file)) == {"total": 7}
    assert receiver.deliveries == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "example.com/hook",
        "http://",
        "https://user:s3cret@example.com/",
        "https://user@example.com/",
        "https://example.com\\@evil.example/",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://exämple.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_addresses_are_plain_and_hold_no_password(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookParameters(url=url, body="{}")


def test_a_reviewer_reads_whom_a_webhook_reaches_and_what_it_says(tmp_path: Path) -> None:
    parameters = WebhookParameters(
        url="https://example.com/*hook*?a=1", body="```\n# Approved", receiver_keeps_keys=True
    )

    text = webhook.preview(rehearsed(call_of(parameters, tmp_path)))

    assert text == (
        f"**REHEARSAL** Nobody is called; the body becomes the file `outbox/{KEY}.json`.\n\n"
        "Will be sent to https\\://example\\.com/\\*hook\\*?a\\=1\n\n"
        "The receiver drops repetitions.\n\n"
        "````text\n```\n# Approved\n````\n"
    )
    unsure = call_of(changed(parameters, receiver_keeps_keys=False), tmp_path)
    assert "The receiver is not known to drop repetitions." in webhook.preview(unsure)


# Checkpoints.


def test_a_checkpoint_asks_its_question_and_records_the_yes(tmp_path: Path) -> None:
    question = "Go on?\n\n```\n# Approved"
    call = call_of(CheckpointParameters(question=question), tmp_path)

    outcome = checkpoint.checkpoint(call)

    assert checkpoint.preview(call) == f"You are asked:\n\n{fenced(question)}\n"
    assert outcome.output == {"question": question, "approved": True}


# The example of the documentation.


def test_the_documented_plan_is_accepted_and_its_webhook_says_json() -> None:
    text = (ROOT / "docs" / "effects.md").read_text()
    plan = Plan.model_validate_json(text.partition("```json\n")[2].partition("```")[0])
    check_plan(plan, {name: service.spec for name, service in SERVICES.items()}, Rules())

    sent = email.SentEmail(message_id="<maos-1@maos.example>", to=("customers@example.com",), subject="New prices")
    body = render(plan.step("note").parameters["body"], {"email": sent.model_dump(mode="json")})
    assert json.loads(body) == {"sent": "<maos-1@maos.example>", "to": ["customers@example.com"]}
