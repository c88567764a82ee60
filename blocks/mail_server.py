"""The mail server as an operator configures it."""

from email.message import EmailMessage
from typing import Literal

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, SecretStr

from blocks.cutoff import Cutoff
from blocks.fields import HostName
from blocks.logos import MAIL
from blocks.smtp_conversation import SmtpConversation
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.mail_addresses import MAILBOX

Security = Literal["none", "starttls", "tls"]


class MailServer(Block):
    """Where email is handed in, and in whose name."""

    # An error would repeat the key or password that it refuses.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Mail Server"
    _block_type_slug = "mail-server"
    _description = "The SMTP server that takes email of runs, and the address it is sent from."
    _logo_url = MAIL
    _documentation_url = HttpUrl("https://datatracker.ietf.org/doc/html/rfc6409")
    _code_example = """\
```python
from blocks.mail_server import MailServer

server = MailServer.load("BLOCK_NAME")
server.send(message, timeout_seconds=10)
```"""

    host: HostName = Field(default="", description="Name of the SMTP server; left empty, no email can be sent.")
    port: int = Field(default=587, ge=1, le=65535, description="Port of the SMTP server.")
    security: Security = Field(
        default="starttls",
        description="How it is encrypted: after the greeting, from the start, or not at all, not even the password.",
    )
    username: str | None = Field(default=None, description="Name to log in with; left empty, nobody logs in.")
    password: SecretStr | None = Field(default=None, description="Password to log in with.")
    sender: str = Field(
        default="", pattern=f"^({MAILBOX})?$", description="Address that email comes from; needed to send any."
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, title="Timeout", description="Seconds that sending one email may take in all."
    )

    @property
    def configured(self) -> bool:
        """Whether email can be sent."""
        return bool(self.host and self.sender)

    def send(self, message: EmailMessage, *, timeout_seconds: float) -> None:
        """Hand a message in, for everybody it is addressed to or for nobody.

        Raises:
            EngineFailure: INTERRUPTED and TIMED_OUT mean that it may have been sent; every other kind, that it was not.
        """
        password = self._sendable_password()
        recipients = [address.addr_spec for header in message.get_all("To", ()) for address in header.addresses]
        # Seven bits and whole line ends, so that it arrives everywhere as it left.
        content = message.as_bytes(policy=message.policy.clone(linesep="\r\n", cte_type="7bit"))
        with (
            Cutoff(min(timeout_seconds, self.timeout_seconds)) as cutoff,
            SmtpConversation(cutoff, password=password) as conversation,
        ):
            conversation.open(self.host, self.port, encrypted=self.security == "tls")
            if self.security == "starttls":
                conversation.start_encryption(self.host)
            if self.username:
                conversation.log_in(self.username)
            conversation.deliver(content, sender=self.sender, recipients=recipients)

    def _sendable_password(self) -> str:
        if not self.configured:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "mail server: it has no host, or no sender")
        password = self.password.get_secret_value() if self.password else ""
        if self.username and not (password and (self.username + password).isascii()):
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "mail server: logging in takes a password, in ASCII")
        return password
