"""Encrypting what must not stand in the database as it is, under keys that are never in the database."""

import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from maos.errors import BadInput, StackError
from maos.settings import Settings, load_settings
from tasks.files import sync_folder
from tasks.secrecy import keep_secret

_PRIVATE_FOLDER = 0o700
_READ_BY_OTHERS = 0o077
_PART = "encryption key"
_KEYS = "Fernet keys, comma separated: each 32 random bytes as URL-safe Base64"


def seal(text: str, *, context: str) -> str:
    """Return the text encrypted for one place; the first to need a key makes one.

    Args:
        context: the place that the text belongs to, such as its row: it cannot be opened in another.
    """
    return _sealer(make=True).encrypt(f"{context}\n{text}".encode()).decode()


def unseal(sealed: str, *, context: str) -> str:
    """Return what was encrypted for this place.

    Raises:
        StackError: when the key is lost or another one, or the text was moved here from another place.
    """
    try:
        opened = _sealer().decrypt(sealed).decode()
    except InvalidToken:
        raise _other_key() from None
    place, _, text = opened.partition("\n")
    if place != context:
        raise StackError("encrypted value", f"it was moved here: it belongs to {place}, not to {context}")
    return text


def reseal(sealed: str) -> str:
    """Return the same under the key that encrypts now, so that an older key can be given up.

    Raises:
        StackError: when the key is lost or another one.
    """
    try:
        return _sealer().rotate(sealed).decode()
    except InvalidToken:
        raise _other_key() from None


def _sealer(*, make: bool = False) -> MultiFernet:
    settings = load_settings()
    keys = settings.encryption_keys or (_key_of(settings.encryption_key_file, make=make),)
    keep_secret(*keys)
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        # Not chained, and without the value: it is meant to be a secret, however wrong.
        raise BadInput(_source(settings), "[secret]", _KEYS) from None


def _other_key() -> StackError:
    return StackError(_PART, f"{_source(load_settings())} does not hold the key that this was encrypted with")


def _source(settings: Settings) -> str:
    return "MAOS_ENCRYPTION_KEY" if settings.encryption_keys else str(settings.encryption_key_file)


def _key_of(file: Path, *, make: bool) -> str:
    if make and not file.exists():
        _make_key(file)
    return _read_key(file)


def _read_key(file: Path) -> str:
    try:
        if file.stat().st_mode & _READ_BY_OTHERS:
            raise StackError(_PART, f"others may read {file}; close it with chmod 600")
        return file.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        raise StackError(_PART, f"{file} is missing; bring it back: nothing else opens what it has encrypted") from None


def _make_key(file: Path) -> None:
    """Make the key unless somebody else just does: of any number of makers all read the same one afterwards."""
    file.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(Fernet.generate_key())
            written.flush()
            # Before anything is encrypted with it: a key that a power cut takes back takes the secrets along.
            os.fsync(written.fileno())
        # A link never replaces what is there, unlike a rename.
        file.hardlink_to(name)
    except FileExistsError:
        return
    finally:
        Path(name).unlink()
    sync_folder(file.parent)
