"""Connections to the world outside, as the operators configured them in Prefect."""

from typing import cast

from blocks.mail_server import MailServer
from blocks.webhooks import Webhooks
from tasks.secrecy import kept


def mail_server() -> MailServer:
    """Return the mail server that runs send with."""
    # Called from tasks and flows without an event loop, `load` answers at once; its type allows for both.
    return kept(cast(MailServer, MailServer.load("default")))


def webhooks() -> Webhooks:
    """Return the limits of webhooks."""
    return kept(cast(Webhooks, Webhooks.load("default")))
