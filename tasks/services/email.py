"""Sends email: once, to everybody it is addressed to or to nobody."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from blocks.mail_server import MailServer
from maos.actions import StepOutcome
from maos.effects import Effect, EffectKind
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.fences import fenced
from maos.mail_addresses import MailAddress
from maos.rendering import TemplateText
from maos.report_markdown import escaped
from maos.risk import RiskLevel
from tasks.connections import mail_server
from tasks.files import write_file
from tasks.services.registry import ServiceCall, internal_service

_MOST_RECIPIENTS = 20
_WIRE = SMTP.clone(cte_type="7bit")
# Of a rehearsal whose mail server is not configured; `.invalid` belongs to nobody.
_NO_SENDER = "nobody@maos.invalid"


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
    opening = (f"**REHEARSAL** Nothing is sent; the email becomes the file `{_file_of(call)}`.",)
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
        output=sent.model_dump(mode="json"), summary=f"Sent the email to {_count(sent.to)}, as a person confirmed."
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
    _check_text(call.parameters)
    if call.run.rehearsal:
        return _rehearsed(call)
    server: MailServer = call.tool
    if not server.configured:
        raise EngineFailure(FailureKind.NOT_CONFIGURED, "the block mail-server/default has no host, or no sender")
    server.send(_message(call, date=datetime.now(UTC)), timeout_seconds=call.timeout_seconds)
    sent = _sent(call)
    return StepOutcome(output=sent.model_dump(mode="json"), summary=f"Sent the email to {_count(sent.to)}.")


def _rehearsed(call: ServiceCall[EmailParameters]) -> StepOutcome:
    # Dated by the run, so that a repetition writes the same bytes.
    content = _message(call, date=call.run.started_at).as_bytes()
    file = write_file(call.folder, _file_of(call), content, "message/rfc822")
    sent = _sent(call).model_copy(update={"rehearsed": True})
    return StepOutcome(
        output=sent.model_dump(mode="json"),
        summary=f"Rehearsed: the email to {_count(sent.to)} is in {file.name}; nothing was sent.",
        artifacts=(file,),
    )


def _message(call: ServiceCall[EmailParameters], *, date: datetime) -> EmailMessage:
    message = EmailMessage(policy=_WIRE)
    message["From"] = _sender(call)
    message["To"] = ", ".join(call.parameters.to)
    message["Subject"] = call.parameters.subject
    message["Date"] = date
    message["Message-ID"] = _message_id(call)
    # So that no out-of-office notice answers.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(call.parameters.body)
    return message


def _sent(call: ServiceCall[EmailParameters]) -> SentEmail:
    return SentEmail(message_id=_message_id(call), to=call.parameters.to, subject=call.parameters.subject)


def _message_id(call: ServiceCall[EmailParameters]) -> str:
    # Made from the key: whoever gets the message twice can tell.
    return f"<{call.key}@{_sender(call).rpartition('@')[2]}>"


def _sender(call: ServiceCall[EmailParameters]) -> str:
    server: MailServer | None = call.tool
    return (server.sender if server else "") or _NO_SENDER


def _check_text(email: EmailParameters) -> None:
    # Checked here, not in the model: what an outcome puts into a template is known only now.
    if len(email.subject.splitlines()) > 1 or _controls(email.subject, allowed=""):
        raise EngineFailure(FailureKind.BAD_REQUEST, "the subject is more than a line of text")
    if _controls(email.body, allowed="\t\r\n"):
        raise EngineFailure(FailureKind.BAD_REQUEST, "the body holds characters that are no text")


def _controls(text: str, *, allowed: str) -> bool:
    return any(unicodedata.category(char) in {"Cc", "Cs"} for char in text if char not in allowed)


def _file_of(call: ServiceCall[EmailParameters]) -> str:
    return f"outbox/{call.key}.eml"


def _count(to: Sequence[str]) -> str:
    return f"{len(to)} address{'es' if len(to) > 1 else ''}"
