"""blocks configure: fields an operator fills in, and one ready client each.

`prefect block register -m blocks` registers what is named here.
"""

from blocks.claude import ClaudeEngine
from blocks.claude_command import ClaudeCommand
from blocks.dataset_downloads import DatasetDownloads
from blocks.gemini_image import GeminiImageEngine
from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from blocks.signed_webhook import SignedWebhook
from blocks.webhooks import Webhooks

__all__ = [
    "ClaudeCommand",
    "ClaudeEngine",
    "DatasetDownloads",
    "GeminiImageEngine",
    "MailServer",
    "Mailbox",
    "SignedWebhook",
    "Webhooks",
]
