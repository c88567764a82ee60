"""The secrets that this process has come to know, and the one way from its texts to what others may read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel

from maos.actions import StepOutcome
from maos.engines import EngineType
from maos.errors import EngineFailure, MaosError
from maos.failures import FailureKind
from maos.known_secrets import redaction_of, secrets_of
from maos.redaction import LONGEST_SUMMARY, Redaction, each_text
from maos.settings import Settings, load_settings
from maos.usage import Receipt

M = TypeVar("M", bound=BaseModel)
_TEXTS = ("text/", "application/json", "message/", "image/svg")


class Keeper:
    """Collects what is secret in this process: settings, and blocks as they are loaded."""

    def __init__(self) -> None:
        self._redaction = Redaction()
        self._settings: Settings | None = None

    @property
    def redaction(self) -> Redaction:
        """What is known so far."""
        return self._redaction

    def learn(self, more: Redaction) -> None:
        """Add to what is known; a secret that was changed stays one, for what still holds it."""
        known = self._redaction
        if not (more.secrets <= known.secrets and more.hosts <= known.hosts):
            self._redaction = Redaction(known.secrets | more.secrets, known.hosts | more.hosts)

    def learn_settings(self, settings: Settings) -> None:
        """Add what is secret in the settings, once for as long as they are the same."""
        if settings is not self._settings:
            self.learn(redaction_of(settings))
            self._settings = settings


@lru_cache(maxsize=1)
def keeper() -> Keeper:
    """Return this process's keeper of secrets."""
    return Keeper()


def redaction() -> Redaction:
    """Return the redaction that knows the settings as they are now, and every block that was loaded."""
    keeper().learn_settings(load_settings())
    return keeper().redaction


def kept(block: M) -> M:
    """Return a block, whose secrets are known from here on."""
    keeper().learn(Redaction(secrets_of(block)))
    return block


def keep_secret(*secrets: str) -> None:
    """Have these values known as secrets from here on."""
    keeper().learn(Redaction(frozenset(secrets)))


def for_clients(text: str, *, limit: int | None = LONGEST_SUMMARY) -> str:
    """Return text for the ledger and everybody who reads it: no secret, vendor, model or internal host."""
    return redaction().for_clients(text, limit=limit)


def let_out(text: str, *, spared: str) -> str:
    """Return a text for the world outside; JSON stays JSON, and nothing hides behind its escapes."""
    hidden = redaction()
    clean = hidden.let_out(text, spared=spared)
    try:
        value = json.loads(clean)
    except (ValueError, RecursionError):
        return clean
    read = each_text(value, lambda part: hidden.let_out(part, spared=spared))
    # Written anew only where it must be: figures keep the digits they came with.
    return clean if read == value else json.dumps(read, ensure_ascii=False)


def without_secrets(text: str) -> str:
    """Return text for operators."""
    return redaction().without_secrets(text)


def without_known_secrets(content: bytes, media_type: str) -> bytes:
    """Return the content of a file without known secrets, where it is text."""
    if not media_type.startswith(_TEXTS):
        return content
    try:
        return keeper().redaction.without_known(content.decode()).encode()
    except UnicodeDecodeError:
        return content


def safe_outcome(outcome: StepOutcome, engine: EngineType) -> StepOutcome:
    """Return an outcome as it may be kept: without known secrets, and without any key where an engine wrote it.

    A service's outcome is made of the customer's data, in which what merely looks like a key is none.
    """
    hidden = redaction()
    change = hidden.without_known if engine is EngineType.INTERNAL_SERVICE else hidden.without_keys
    written = outcome.model_dump_json()
    if change(written) == written:
        return outcome
    return StepOutcome.model_validate(each_text(outcome.model_dump(mode="json"), change))


def safe_receipt(receipt: Receipt) -> Receipt:
    """Return a receipt as it may be kept: it is in the words of whoever answered the call."""
    words = receipt.model_dump(include={"model", "request_id", "raw_usage"})
    return receipt.model_copy(update=each_text(words, redaction().without_keys))


@contextmanager
def discreet() -> Iterator[None]:
    """Let no error out whose words hold a secret: Prefect keeps them as the state of the run or task."""
    try:
        yield
    except Exception as error:
        told = _discreet(error)
        if told is error:
            raise
        raise told from None


def _discreet(error: Exception) -> Exception:
    hidden = redaction()
    words = str(error)
    if not hidden.holds_secret(words):
        return error
    if isinstance(error, MaosError):
        # Its fields are its arguments, so that it can travel; most of them are words.
        rebuilt = type(error)(*each_text(error.args, hidden.without_secrets))
        if not hidden.holds_secret(str(rebuilt)):
            return rebuilt
    return EngineFailure(FailureKind.SERVICE_ERROR, f"{type(error).__name__}: {hidden.without_secrets(words)}")
