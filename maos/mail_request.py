"""What `process_email` may be asked."""

from pydantic import Field, field_validator

from maos.mail_desk import MailDesk
from maos.requests import RetryOf, RunRequest

IMAP = "imap:"
# Each message takes three steps at most, and a plan has a hundred.
MOST_MESSAGES = 30


class ProcessEmailRequest(RunRequest):
    """Ask for the new messages of a mailbox to be read, sorted and answered."""

    source: str = Field(
        title="Mailbox",
        description="A Maildir, an mbox file, .eml file or folder of them; or imap:NAME of a Mailbox block.",
        min_length=1,
        max_length=1000,
    )
    most_messages: int = Field(
        default=10, ge=1, le=MOST_MESSAGES, title="Most messages", description="The others are left to the next run."
    )
    desk: MailDesk = Field(default=MailDesk(), title="Desk", description="How this organisation's mail is answered.")

    @field_validator("retry")
    @classmethod
    def _no_retry(cls, retry: RetryOf | None) -> RetryOf | None:
        if retry is not None:
            raise ValueError("nothing: what a run over a mailbox leaves, the next one takes")
        return retry
