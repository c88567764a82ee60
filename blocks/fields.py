"""Fields that several blocks have, checked when a block is filled in and saved."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def _checked_address(given: str | None) -> str | None:
    if not given:
        return given
    allowed = "an address like https://gateway.example/path, without user, password and spaces"
    try:
        parts = urlsplit(given)
        # Reading the port is what checks it.
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or True)
    except ValueError:
        raise ValueError(f"not an address; allowed: {allowed}") from None
    if not usable or parts.username is not None or any(char.isspace() for char in given):
        raise ValueError(f"not an address; allowed: {allowed}")
    return given


def _checked_key(given: SecretStr | None) -> SecretStr | None:
    key = given.get_secret_value() if given else ""
    if not key:
        return None
    if not key.strip():
        raise ValueError("only spaces; allowed: a key, or nothing, where the settings hold it")
    if not (key.strip().isascii() and key.strip().isprintable()):
        raise ValueError("it has characters that no key has; was it shortened when it was copied?")
    return given


def _checked_host(given: str) -> str:
    if given and not re.fullmatch(r"[A-Za-z0-9]([\w.-]*\w)?|[0-9A-Fa-f:.]+", given):
        raise ValueError("not the name of a host; allowed: a name like mail.example, or an address, without the port")
    return given


ApiAddress = Annotated[str | None, AfterValidator(_checked_address)]
HostName = Annotated[str, AfterValidator(_checked_host)]
ApiKey = Annotated[SecretStr | None, AfterValidator(_checked_key)]
