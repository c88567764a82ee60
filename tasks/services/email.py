"""Sends email: once, to everybody it is addressed to or to nobody."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from maos.actions import StepOutcome
from maos.effects import Effect, EffectKind
from maos.fences import fenced
from maos.mail_addresses import MailAddress
from maos.rendering import TemplateText
from maos.report_markdown import escaped
from maos.risk import RiskLevel
from tasks.connections import mail_server
from tasks.files import write_file
from tasks.services.outgoing import WIRE, check_text, count_of, hand_in, message_id, outbox_file, sender_of
from tasks.services.registry import ServiceCall, internal_service

_MOST_RECIPIENTS = 20


class EmailParameters(BaseModel):
    """An email."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=_MOST_RECIPIENTS, description="Who gets it.")
    subject: Annotated[TemplateText, Field(min_length=1, max_length=300)] = Field(description="One line.")
    body: Annotated[TemplateText, Field(max_length=100_000)] = Field(description="Plain text.")

    @field_validator("to")
    @classmethod
    def _distinct(cls, to: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(to)) < len(to):
            raise ValueError("an address stands twice")
        return to


class SentEmail(BaseModel):
    """An email that was sent."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    to: tuple[str, ...]
    subject: str
    rehearsed: bool = Field(default=False, description="Whether it was written to a file instead.")
    confirmed: bool = Field(default=False, description="Whether a person says that it was sent.")


def preview(call: ServiceCall[EmailParameters]) -> str:
    """Return the email as its recipients will read it, in Markdown."""
    email = call.parameters
    recipients = "\n".join(f"- {escaped(address)}" for address in email.to)
    opening = (f"**REHEARSAL** Nothing is sent; the email becomes the file `{outbox_file(call)}`.",)
    parts = [
        *(opening if call.run.rehearsal else ()),
        f"Will be sent to:\n\n{recipients}",
        f"**Subject:** {escaped(email.subject)}",
        fenced(email.body),
    ]
    return "\n\n".join(parts) + "\n"


def confirmed(call: ServiceCall[EmailParameters]) -> StepOutcome:
    """Return what is recorded of an email of which a person says that it was sent."""
    sent = _sent(call).model_copy(update={"confirmed": True})
    return StepOutcome(
        output=sent.model_dump(mode="json"), summary=f"Sent the email to {count_of(sent.to)}, as a person confirmed."
    )


@internal_service(
    action="send_email",
    risk=RiskLevel.HIGH,
    title="Send an email.",
    parameters=EmailParameters,
    open_inputs=True,
    output=SentEmail,
    effect=Effect(kind=EffectKind.EMAIL),
    preview=preview,
    confirmed=confirmed,
    needs=mail_server,
    timeout_seconds=120.0,
)
def send_email(call: ServiceCall[EmailParameters]) -> StepOutcome:
    """Send the email; in a rehearsal, write it to a file."""
    check_text(call.parameters.subject, call.parameters.body)
    if call.run.rehearsal:
        return _rehearsed(call)
    hand_in(call, _message(call, date=datetime.now(UTC)))
    sent = _sent(call)
    return StepOutcome(output=sent.model_dump(mode="json"), summary=f"Sent the email to {count_of(sent.to)}.")


def _rehearsed(call: ServiceCall[EmailParameters]) -> StepOutcome:
    # Dated by the run, so that a repetition writes the same bytes.
    content = _message(call, date=call.run.started_at).as_bytes()
    file = write_file(call.folder, outbox_file(call), content, "message/rfc822")
    sent = _sent(call).model_copy(update={"rehearsed": True})
    return StepOutcome(
        output=sent.model_dump(mode="json"),
        summary=f"Rehearsed: the email to {count_of(sent.to)} is in {file.name}; nothing was sent.",
        artifacts=(file,),
    )


def _message(call: ServiceCall[EmailParameters], *, date: datetime) -> EmailMessage:
    message = EmailMessage(policy=WIRE)
    message["From"] = sender_of(call)
    message["To"] = ", ".join(call.parameters.to)
    message["Subject"] = call.parameters.subject
    message["Date"] = date
    message["Message-ID"] = message_id(call)
    # So that no out-of-office notice answers.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(call.parameters.body)
    return message


def _sent(call: ServiceCall[EmailParameters]) -> SentEmail:
    return SentEmail(message_id=message_id(call), to=call.parameters.to, subject=call.parameters.subject)
