"""Whom an action reaches, as its parameters say: addresses of people, and hosts."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from maos.actions import JsonObject

# Where an action with an effect outside says whom it reaches.
RECIPIENTS = ("to", "cc", "bcc")
ADDRESSES = ("url",)
_MAILBOX = re.compile(r"[^\s,;<>]+@[^\s,;<>]+")


def recipients_in(parameters: JsonObject) -> dict[str, list[str]]:
    """Return the people it reaches, by parameter; a text of several addresses is several people."""
    return {name: _mailboxes(_strings(parameters[name])) for name in RECIPIENTS if name in parameters}


def addresses_in(parameters: JsonObject) -> dict[str, list[str]]:
    """Return the addresses on the network that it reaches, by parameter."""
    return {name: _strings(parameters[name]) for name in ADDRESSES if name in parameters}


def host_of(url: str) -> str:
    """Return the host of an address; nothing where it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def domain_of(recipient: str) -> str:
    """Return the domain of a person's address."""
    return recipient.strip().lower().rpartition("@")[2]


def _mailboxes(texts: Iterable[str]) -> list[str]:
    return [found for text in texts for found in (_MAILBOX.findall(text) or [text])]


def _strings(value: object) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return [value] if isinstance(value, str) else []
