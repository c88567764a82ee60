"""Connections to the world outside, as the operators configured them in Prefect."""

from typing import cast

from prefect.blocks.notifications import SlackWebhook

from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from blocks.signed_webhook import SignedWebhook
from blocks.webhooks import Webhooks
from tasks.secrecy import kept


def mail_server() -> MailServer:
    """Return the mail server that runs send with."""
    # Called from tasks and flows without an event loop, `load` answers at once; its type allows for both.
    return kept(cast(MailServer, MailServer.load("default")))


def mailbox(name: str) -> Mailbox:
    """Return the mailbox that a block of this name knows.

    Raises:
        ValueError: when there is no such block.
    """
    return kept(cast(Mailbox, Mailbox.load(name)))


def slack_webhook(name: str) -> SlackWebhook:
    """Return the Slack channel that a block of this name knows."""
    return kept(cast(SlackWebhook, SlackWebhook.load(name)))


def signed_webhook(name: str) -> SignedWebhook:
    """Return the receiver that a block of this name knows."""
    return kept(cast(SignedWebhook, SignedWebhook.load(name)))


def webhooks() -> Webhooks:
    """Return the limits of webhooks."""
    return kept(cast(Webhooks, Webhooks.load("default")))
