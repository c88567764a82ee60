"""Sending a notice by email, to Slack, or to a signed webhook."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import TypeVar
from uuid import UUID

from prefect.blocks.abstract import NotificationError

from blocks.prefect_api import prefect_faults
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.notice_text import Message
from maos.notices import Channel, Recipient
from tasks.connections import mail_server, signed_webhook, slack_webhook, webhooks

_WIRE = SMTP.clone(cte_type="7bit")
T = TypeVar("T")


@dataclass(frozen=True)
class Parcel:
    """A message on its way to one recipient."""

    message: Message
    recipient: Recipient
    key: str
    seconds: float


def key_of(notices: Iterable[UUID]) -> str:
    """Return the key of a message: the same when the same notices are sent again."""
    return hashlib.sha256("".join(sorted(map(str, notices))).encode()).hexdigest()[:32]


def send(parcel: Parcel) -> None:
    """Send a message.

    Raises:
        EngineFailure: when it was not sent, or may not have been.
        StackError: when the Prefect API, which knows the channel, is away.
    """
    with prefect_faults():
        _SENDERS[parcel.recipient.channel](parcel)


def _by_email(parcel: Parcel) -> None:
    server = _configured("mail-server/default", mail_server)
    if not server.configured:
        raise EngineFailure(FailureKind.NOT_CONFIGURED, "the block mail-server/default has no host, or no sender")
    mail = EmailMessage(policy=_WIRE)
    mail["From"] = server.sender
    mail["To"] = parcel.recipient.address
    mail["Subject"] = parcel.message.subject
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = f"<notice-{parcel.key}@{server.sender.rpartition('@')[2]}>"
    # So that no out-of-office notice answers.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(parcel.message.text)
    mail.add_alternative(parcel.message.html, subtype="html")
    server.send(mail, timeout_seconds=parcel.seconds)


def _to_slack(parcel: Parcel) -> None:
    name = parcel.recipient.address
    block = _configured(f"slack-webhook/{name}", lambda: slack_webhook(name))
    try:
        with block.raise_on_failure():
            block.notify(parcel.message.slack, subject=parcel.message.subject)
    except NotificationError:
        # Its log repeats the address, which is the secret of the channel.
        raise EngineFailure(FailureKind.INTERRUPTED, f"the channel of slack-webhook/{name} does not take it") from None


def _to_webhook(parcel: Parcel) -> None:
    name = parcel.recipient.address
    receiver = _configured(f"signed-webhook/{name}", lambda: signed_webhook(name))
    limits = _configured("webhooks/default", webhooks)
    body = parcel.message.content
    receiver.post(body, key=parcel.key, at=datetime.now(UTC), limits=limits, timeout_seconds=parcel.seconds)


def _configured(name: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except ValueError:
        raise EngineFailure(FailureKind.NOT_CONFIGURED, f"there is no block {name}") from None


_SENDERS: Mapping[Channel, Callable[[Parcel], None]] = {
    Channel.EMAIL: _by_email,
    Channel.SLACK: _to_slack,
    Channel.WEBHOOK: _to_webhook,
}
