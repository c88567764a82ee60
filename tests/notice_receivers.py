"""The other ends of notices: what people and machines are sent, kept for tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import pytest
from apprise.plugins.slack import NotifySlack
from prefect.blocks.notifications import SlackWebhook
from pydantic import SecretStr

from blocks.mail_server import MailServer
from blocks.signed_webhook import SignedWebhook
from blocks.webhooks import Webhooks
from tests.mail_receiver import MailReceiver
from tests.webhook_receiver import WebhookReceiver

SECRET = "of the receiver alone"


class SlackReceiver:
    """Takes what is posted, and says ok."""

    def __init__(self) -> None:
        self.said: list[str] = []
        said = self.said

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/services"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiving_slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackReceiver]:
    """Have every notice for the Slack block `approvals` sent to a receiver of this process."""
    address = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    SlackWebhook(url=SecretStr(address)).save("approvals", overwrite=True)
    with SlackReceiver() as receiver:
        # The vendor's own address cannot be reached by a test.
        monkeypatch.setattr(NotifySlack, "webhook_url", receiver.url)
        yield receiver


@contextmanager
def receiving_mail() -> Iterator[MailReceiver]:
    """Have every notice by email sent to a receiver of this process."""
    with MailReceiver() as receiver:
        MailServer(host=receiver.host, port=receiver.port, security="none", sender="maos@demo.example").save(
            "default", overwrite=True
        )
        yield receiver
    MailServer().save("default", overwrite=True)


@contextmanager
def receiving_webhooks() -> Iterator[WebhookReceiver]:
    """Have every notice for the block `receiver` sent to a receiver of this process."""
    with WebhookReceiver() as receiver:
        Webhooks(allow_private=True).save("default", overwrite=True)
        SignedWebhook(url=receiver.url, secret=SecretStr(SECRET)).save("receiver", overwrite=True)
        yield receiver
    Webhooks().save("default", overwrite=True)


def told(mail: MailReceiver, address: str) -> list[str]:
    """Return the texts that an address was sent."""
    return [each.text for each in mail.messages if each.recipients == (address,)]
