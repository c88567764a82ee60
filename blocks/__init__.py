"""blocks configure: fields an operator fills in, and one ready client each.

`prefect block register -m blocks` registers what is named here.
"""

from blocks.claude import ClaudeEngine
from blocks.dataset_downloads import DatasetDownloads
from blocks.gemini_image import GeminiImageEngine
from blocks.mail_server import MailServer
from blocks.webhooks import Webhooks

__all__ = ["ClaudeEngine", "DatasetDownloads", "GeminiImageEngine", "MailServer", "Webhooks"]
