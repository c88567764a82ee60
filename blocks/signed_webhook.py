"""A receiver of notices: its address, and the secret that proves who calls."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, SecretStr

from blocks.fields import ApiAddress
from blocks.logos import CALL
from blocks.webhooks import Webhooks
from maos.errors import EngineFailure
from maos.failures import FailureKind


class SignedWebhook(Block):
    """A receiver that is called with a signature, as Standard Webhooks describes it."""

    # An error would repeat the secret that it refuses.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Signed Webhook"
    _block_type_slug = "signed-webhook"
    _description = "A receiver of notices, called with a signature that proves who calls."
    _logo_url = CALL
    _documentation_url = HttpUrl("https://www.standardwebhooks.com/")
    _code_example = """\
```python
from blocks.signed_webhook import SignedWebhook

receiver = SignedWebhook.load("BLOCK_NAME")
```"""

    url: ApiAddress = Field(default="", description="Who is called.")
    secret: SecretStr | None = Field(default=None, description="Known to the receiver alone; it proves who calls.")

    def post(self, body: bytes, *, key: str, at: datetime, limits: Webhooks, timeout_seconds: float) -> None:
        """Deliver a JSON body once, signed.

        Raises:
            EngineFailure: INTERRUPTED and TIMED_OUT mean that it may have been delivered; every other kind, that it
                was not.
        """
        secret = self.secret.get_secret_value() if self.secret else ""
        if not (self.url and secret):
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "signed webhook: it has no address, or no secret")
        headers = signature_of(body, key=key, at=at, secret=secret)
        limits.post(self.url, body, key=key, timeout_seconds=timeout_seconds, signature=headers)


def signature_of(body: bytes, *, key: str, at: datetime, secret: str) -> Mapping[str, str]:
    """Return the headers of Standard Webhooks: a repetition has the same id, and an old call an old time."""
    timestamp = str(int(at.timestamp()))
    mac = hmac.new(secret.encode(), f"{key}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": key, "webhook-timestamp": timestamp, "webhook-signature": signature}
