"""What of the settings, and of any other model with secret fields, must be read nowhere."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from maos.redaction import Redaction
from maos.settings import Settings

# Where the vendors are reached; that is no host of ours.
_ADDRESSES = ("prefect_api_url", "anthropic_base_url", "gemini_base_url")


def redaction_of(settings: Settings) -> Redaction:
    """Return the redaction that knows these settings' secrets and hosts."""
    addresses = [*filter(None, (getattr(settings, name) for name in _ADDRESSES)), *_values(settings)]
    hosts = {host for address in addresses if (host := _host_of(address))}
    return Redaction(secrets_of(settings) | frozenset(settings.encryption_keys), frozenset(hosts))


def secrets_of(model: BaseModel) -> frozenset[str]:
    """Return the secrets that the fields of a model hold; of a login or an address, its password."""
    return frozenset(secret for value in _values(model) for secret in _secrets_in(value))


def _values(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, SecretStr) and value.get_secret_value().strip():
            yield value.get_secret_value().strip()


def _secrets_in(value: str) -> Iterator[str]:
    user, password = _login_of(value)
    if "://" not in value:
        yield value
    # A password that is the user's name is none; blanking it would blank the name everywhere.
    if password and password != user:
        yield password
        yield unquote(password)


def _login_of(value: str) -> tuple[str, str]:
    login = urlsplit(value).netloc.rpartition("@")[0] if "://" in value else value
    user, _, password = login.partition(":")
    return user, password


def _host_of(value: str) -> str | None:
    try:
        return urlsplit(value).hostname if "://" in value else None
    except ValueError:
        return None
