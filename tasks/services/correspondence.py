"""Answers and forwards messages, once each, and notes tasks that messages make for people."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.actions import StepOutcome
from maos.effects import Effect, EffectKind
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.fences import fenced
from maos.mail import TakenMail
from maos.mail_addresses import MailAddress
from maos.mail_desk import AnsweredMail, RoutedMail
from maos.mail_plan import RouteParameters, place_of
from maos.mail_view import shown_mail
from maos.rendering import TemplateText
from maos.report_markdown import escaped
from maos.risk import RiskLevel
from tasks.connections import mail_server
from tasks.files import read_file, write_file
from tasks.mail_claims import holds_claim
from tasks.secrecy import for_clients
from tasks.services.outgoing import WIRE, check_text, count_of, hand_in, message_id, outbox_file, sender_of
from tasks.services.registry import ServiceCall, internal_service

MessageId = Annotated[str, StringConstraints(pattern=r"^<[\x21-\x3b\x3d\x3f-\x7e]{1,250}>$")]
_INPUTS = {"mail": TakenMail, "answer": AnsweredMail, "route": RoutedMail}
_LARGEST_ORIGINAL = 10_000_000


class ForwardParameters(RouteParameters):
    """A message that is passed on."""

    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=5, description="Who gets it.")
    subject: str = Field(min_length=1, max_length=300, description="One line.")
    body: Annotated[TemplateText, Field(max_length=20_000)] = Field(description="Plain text.")


class ReplyParameters(ForwardParameters):
    """The reply to a message."""

    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=1, description="Who gets it: who wrote the message.")
    signature: str = Field(default="", max_length=500, description="Stands under the text.")
    in_reply_to: MessageId | None = Field(default=None, description="The message that is answered.")
    references: tuple[MessageId, ...] = Field(default=(), max_length=40, description="Its thread, the oldest first.")


class SentMail(BaseModel):
    """A reply or a forward that was sent."""

    model_config = ConfigDict(frozen=True)

    number: int
    message_id: str
    to: tuple[str, ...]
    subject: str
    rehearsed: bool = Field(default=False, description="Whether it was written to a file instead.")
    confirmed: bool = Field(default=False, description="Whether a person says that it was sent.")


class NotedTask(BaseModel):
    """A task that a message makes for people."""

    model_config = ConfigDict(frozen=True)

    number: int
    category: str
    summary: str
    file: str


def preview(call: ServiceCall[Any]) -> str:
    """Return the message and what is sent about it, in Markdown."""
    asked, mail = call.parameters, TakenMail.model_validate(call.inputs["mail"])
    route = RoutedMail.model_validate(call.inputs["route"])
    opening = f"**REHEARSAL** Nothing is sent; the email becomes the file `{outbox_file(call)}`."
    recipients = "\n".join(f"- {escaped(address)}" for address in asked.to)
    parts = [
        *((opening,) if call.run.rehearsal else ()),
        f"### The message\n\n{shown_mail(mail)}",
        f"Sorted as **{escaped(route.category)}**: {escaped(route.reason)}",
        f"### What will be sent\n\nTo:\n\n{recipients}",
        f"**Subject:** {escaped(asked.subject)}",
        fenced(_text_of(asked)),
        *(("The message goes along as a file.",) if not isinstance(asked, ReplyParameters) else ()),
    ]
    return "\n\n".join(parts) + "\n"


def still_ours(call: ServiceCall[Any]) -> None:
    """Refuse to act on a message that another run has by now.

    Raises:
        EngineFailure: when it has.
    """
    if not holds_claim(call.run.run_id, call.parameters.number):
        raise EngineFailure(FailureKind.BAD_REQUEST, "the message is no longer this run's")


def confirmed(call: ServiceCall[Any]) -> StepOutcome:
    """Return what is recorded of an email of which a person says that it was sent."""
    sent = _sent(call).model_copy(update={"confirmed": True})
    return StepOutcome(output=sent.model_dump(mode="json"), summary="Sent, as a person confirmed.")


@internal_service(
    action="reply_mail",
    risk=RiskLevel.HIGH,
    title="Answer a message.",
    parameters=ReplyParameters,
    inputs=_INPUTS,
    output=SentMail,
    effect=Effect(kind=EffectKind.EMAIL),
    preview=preview,
    confirmed=confirmed,
    needs=mail_server,
    guard=still_ours,
    timeout_seconds=120.0,
)
def reply_mail(call: ServiceCall[ReplyParameters]) -> StepOutcome:
    """Send the reply into its thread; in a rehearsal, write it to a file."""
    asked, reply = call.parameters, _message(call, _date(call))
    if asked.in_reply_to:
        reply["In-Reply-To"] = asked.in_reply_to
    if asked.references:
        reply["References"] = " ".join(asked.references)
    return _send(call, reply)


@internal_service(
    action="forward_mail",
    risk=RiskLevel.HIGH,
    title="Pass a message on to a colleague.",
    parameters=ForwardParameters,
    inputs=_INPUTS,
    output=SentMail,
    effect=Effect(kind=EffectKind.EMAIL),
    preview=preview,
    confirmed=confirmed,
    needs=mail_server,
    guard=still_ours,
    timeout_seconds=120.0,
)
def forward_mail(call: ServiceCall[ForwardParameters]) -> StepOutcome:
    """Send the message along as it came; in a rehearsal, write what would be sent to a file."""
    mail = TakenMail.model_validate(call.inputs["mail"])
    message = _message(call, _date(call))
    if mail.file and mail.file.size <= _LARGEST_ORIGINAL:
        # As a file of bytes: what nobody could parse can be passed on, and shows nothing by itself.
        original = read_file(call.folder, mail.file)
        message.add_attachment(original, maintype="application", subtype="octet-stream", filename="original.eml")
    return _send(call, message)


@internal_service(
    action="note_task",
    risk=RiskLevel.LOW,
    title="Note a task for people.",
    parameters=RouteParameters,
    inputs=_INPUTS,
    output=NotedTask,
)
def note_task(call: ServiceCall[RouteParameters]) -> StepOutcome:
    """Write a task with the message that makes it."""
    mail, answer = TakenMail.model_validate(call.inputs["mail"]), AnsweredMail.model_validate(call.inputs["answer"])
    route = RoutedMail.model_validate(call.inputs["route"])
    summary = for_clients(answer.summary, limit=None)
    fields = "\n".join(f"- {escaped(each.name)}: {escaped(each.value)}" for each in route.fields)
    text = f"# {escaped(route.category)}\n\n{escaped(summary)}\n\n{escaped(route.reason)}\n\n{fields}\n\n"
    name = f"tasks/{place_of(mail.number)}.md"
    file = write_file(call.folder, name, f"{text}{shown_mail(mail)}\n".encode(), "text/markdown")
    noted = NotedTask(number=mail.number, category=route.category, summary=summary, file=name)
    return StepOutcome(
        output=noted.model_dump(mode="json"),
        summary=f"Noted a task of message {mail.number} in {name}.",
        artifacts=(file,),
    )


def _date(call: ServiceCall[Any]) -> datetime:
    # A rehearsal's is dated by the run, so that a repetition writes the same bytes.
    return call.run.started_at if call.run.rehearsal else datetime.now(UTC)


def _message(call: ServiceCall[Any], date: datetime) -> EmailMessage:
    asked = call.parameters
    text = _text_of(asked)
    check_text(asked.subject, text)
    # Ids are long, and a folded one would no longer be one.
    message = EmailMessage(policy=WIRE.clone(max_line_length=900))
    message["From"] = sender_of(call)
    message["To"] = ", ".join(asked.to)
    message["Subject"] = asked.subject
    message["Date"] = date
    message["Message-ID"] = message_id(call)
    # So that no machine answers it.
    message["Auto-Submitted"] = "auto-replied"
    message.set_content(text)
    return message


def _text_of(asked: ForwardParameters) -> str:
    signature = asked.signature if isinstance(asked, ReplyParameters) else ""
    return f"{asked.body.rstrip()}\n\n-- \n{signature}\n" if signature else f"{asked.body.rstrip()}\n"


def _send(call: ServiceCall[Any], message: EmailMessage) -> StepOutcome:
    sent = _sent(call)
    if call.run.rehearsal:
        file = write_file(call.folder, outbox_file(call), message.as_bytes(), "message/rfc822")
        return StepOutcome(
            output=sent.model_copy(update={"rehearsed": True}).model_dump(mode="json"),
            summary=f"Rehearsed: the email to {count_of(sent.to)} is in {file.name}; nothing was sent.",
            artifacts=(file,),
        )
    hand_in(call, message)
    return StepOutcome(output=sent.model_dump(mode="json"), summary=f"Sent the email to {count_of(sent.to)}.")


def _sent(call: ServiceCall[Any]) -> SentMail:
    asked = call.parameters
    return SentMail(number=asked.number, message_id=message_id(call), to=asked.to, subject=asked.subject)
