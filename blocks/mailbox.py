"""A mailbox as an operator configures it."""

from datetime import date
from typing import Literal

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, SecretStr

from blocks.fields import HostName
from blocks.imap_conversation import ImapAccess, ImapConversation
from blocks.logos import MAIL
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.mail_addresses import MAILBOX


class Mailbox(Block):
    """Where an organisation's email is read."""

    # An error would repeat the key or password that it refuses.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Mailbox"
    _block_type_slug = "mailbox"
    _description = "A folder on an IMAP server whose messages runs of one organisation read and answer."
    _logo_url = MAIL
    _documentation_url = HttpUrl("https://datatracker.ietf.org/doc/html/rfc9051")
    _code_example = """\
```python
from blocks.mailbox import Mailbox

mailbox = Mailbox.load("BLOCK_NAME")
with mailbox.open() as conversation:
    conversation.keys(since=None)
```"""

    org: str = Field(
        default="", title="Organisation", max_length=63, description="Slug of the organisation whose mailbox it is."
    )
    host: HostName = Field(default="", description="Name of the IMAP server.")
    port: int = Field(default=993, ge=1, le=65535, description="Port of the IMAP server.")
    security: Literal["tls", "starttls", "none"] = Field(
        default="tls",
        description="How it is encrypted: from the start, after the greeting, or not at all, not even the password.",
    )
    username: str = Field(default="", description="Name to log in with.")
    password: SecretStr | None = Field(default=None, description="Password to log in with.")
    folder: str = Field(default="INBOX", min_length=1, max_length=200, description="The folder that is read.")
    since: date | None = Field(
        default=None, description="Messages that arrived before this day are left alone; empty: none is."
    )
    address: str = Field(
        default="",
        pattern=f"^({MAILBOX})?$",
        description="Address of the mailbox: what it sent itself is not answered.",
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, title="Timeout", description="Seconds that each answer of the server may take."
    )

    @property
    def place(self) -> str:
        """What the mailbox is called in the ledger, whatever its block is called."""
        return f"imap://{self.username}@{self.host.lower()}:{self.port}/{self.folder}"

    def open(self, *, changing: bool = False) -> ImapConversation:
        """Return a conversation with its server, which is entered as a context.

        Raises:
            EngineFailure: when the login cannot be said to a server.
        """
        password = self.password.get_secret_value() if self.password else ""
        if not self.host:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "mailbox: its block names no host")
        if not (
            self.username
            and password
            and (self.username + password).isascii()
            and (self.username + password).isprintable()
        ):
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "mailbox: logging in takes a name and a password, in ASCII")
        return ImapConversation(
            ImapAccess(
                host=self.host,
                port=self.port,
                security=self.security,
                username=self.username,
                password=password,
                folder=self.folder,
                timeout_seconds=self.timeout_seconds,
            ),
            changing=changing,
        )
