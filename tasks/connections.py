"""Connections to the world outside, as the operators configured them in Prefect."""

from typing import cast

from prefect.blocks.notifications import SlackWebhook
from prefect_aws import AwsCredentials, S3Bucket

from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from blocks.signed_webhook import SignedWebhook
from blocks.webhooks import Webhooks
from tasks.secrecy import keep_secret, kept


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


def bucket_block(org: str) -> str:
    """Return the name of the block by which an organisation's data sets are read from a bucket."""
    return f"datasets-{org}"


def dataset_bucket(org: str) -> S3Bucket:
    """Return the bucket that an organisation may read.

    Raises:
        ValueError: when it has none.
    """
    bucket = cast(S3Bucket, S3Bucket.load(bucket_block(org)))
    credentials = kept(bucket.credentials)
    if isinstance(credentials, AwsCredentials) and credentials.aws_session_token:
        keep_secret(credentials.aws_session_token)
    return bucket


def slack_webhook(name: str) -> SlackWebhook:
    """Return the Slack channel that a block of this name knows."""
    return kept(cast(SlackWebhook, SlackWebhook.load(name)))


def signed_webhook(name: str) -> SignedWebhook:
    """Return the receiver that a block of this name knows."""
    return kept(cast(SignedWebhook, SignedWebhook.load(name)))


def webhooks() -> Webhooks:
    """Return the limits of webhooks."""
    return kept(cast(Webhooks, Webhooks.load("default")))
