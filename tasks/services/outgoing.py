"""What every email that leaves has: a sender, an id made from its key, and text that is text."""

import unicodedata
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from blocks.mail_server import MailServer
from maos.errors import EngineFailure
from maos.failures import FailureKind
from tasks.services.registry import ServiceCall

WIRE = SMTP.clone(cte_type="7bit")
# Of a rehearsal whose mail server is not configured; `.invalid` belongs to nobody.
_NO_SENDER = "nobody@maos.invalid"


def message_id(call: ServiceCall[Any]) -> str:
    """Return the id of a call's email, made from its key: whoever gets the message twice can tell."""
    return f"<{call.key}@{sender_of(call).rpartition('@')[2]}>"


def sender_of(call: ServiceCall[Any]) -> str:
    """Return whose name an email is sent in."""
    server: MailServer | None = call.tool
    return (server.sender if server else "") or _NO_SENDER


def check_text(subject: str, body: str) -> None:
    """Refuse what no email may say.

    Raises:
        EngineFailure: when the subject is no line, or something is no text.
    """
    # Checked here, not in the model: what an outcome puts into a template is known only now.
    if len(subject.splitlines()) > 1 or _controls(subject, allowed=""):
        raise EngineFailure(FailureKind.BAD_REQUEST, "the subject is more than a line of text")
    if _controls(body, allowed="\t\r\n"):
        raise EngineFailure(FailureKind.BAD_REQUEST, "the body holds characters that are no text")


def _controls(text: str, *, allowed: str) -> bool:
    return any(unicodedata.category(char) in {"Cc", "Cs"} for char in text if char not in allowed)


def outbox_file(call: ServiceCall[Any]) -> str:
    """Return the file that a rehearsal writes instead of sending."""
    return f"outbox/{call.key}.eml"


def hand_in(call: ServiceCall[Any], message: EmailMessage) -> None:
    """Give a message to the mail server, for everybody it is addressed to or for nobody."""
    server: MailServer = call.tool
    if not server.configured:
        raise EngineFailure(FailureKind.NOT_CONFIGURED, "the block mail-server/default has no host, or no sender")
    server.send(message, timeout_seconds=call.timeout_seconds)


def count_of(to: Sequence[str]) -> str:
    """Return how many addresses there are, in words."""
    return f"{len(to)} address{'es' if len(to) > 1 else ''}"
