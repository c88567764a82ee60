"""What is encrypted can be read in its own place, with its own key, and nowhere else."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from maos.errors import BadInput, StackError
from maos.settings import load_settings
from tasks.encryption import reseal, seal, unseal
from tasks.secrecy import keeper, without_secrets

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HERE, THERE = "place/1", "place/2"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("MAOS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "home"))
    keeper.cache_clear()
    yield tmp_path / "home"
    keeper.cache_clear()


def _key_file() -> Path:
    return load_settings().encryption_key_file


def _configure(monkeypatch: pytest.MonkeyPatch, *keys: bytes) -> None:
    monkeypatch.setenv("MAOS_ENCRYPTION_KEY", ",".join(key.decode() for key in keys))


def test_what_is_sealed_comes_back_and_says_nothing_meanwhile() -> None:
    sealed = seal(SECRET, context=HERE)

    assert SECRET not in sealed
    assert HERE not in sealed
    assert unseal(sealed, context=HERE) == SECRET


def test_what_is_moved_to_another_place_is_refused() -> None:
    sealed = seal(SECRET, context=HERE)

    with pytest.raises(StackError, match="it was moved here: it belongs to place/1, not to place/2"):
        unseal(sealed, context=THERE)


def test_a_changed_character_is_noticed() -> None:
    sealed = seal(SECRET, context=HERE)
    changed = sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]

    with pytest.raises(StackError, match="does not hold the key"):
        unseal(changed, context=HERE)


def test_the_key_lies_in_a_file_that_only_its_owner_reads() -> None:
    seal(SECRET, context=HERE)

    assert _key_file().stat().st_mode & 0o777 == 0o600
    assert _key_file().parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in _key_file().parent.iterdir()] == ["encryption.key"]


def test_of_many_who_need_a_key_first_all_use_the_same() -> None:
    with ThreadPoolExecutor(16) as pool:
        sealed = list(pool.map(lambda number: seal(str(number), context=HERE), range(32)))

    assert [unseal(each, context=HERE) for each in sealed] == [str(number) for number in range(32)]


def test_a_lost_key_is_told_and_not_made_anew() -> None:
    sealed = seal(SECRET, context=HERE)
    _key_file().unlink()

    with pytest.raises(StackError, match=r"encryption\.key is missing"):
        unseal(sealed, context=HERE)
    assert not _key_file().exists()


def test_another_key_is_told() -> None:
    sealed = seal(SECRET, context=HERE)
    _key_file().write_bytes(Fernet.generate_key())

    with pytest.raises(StackError, match=r"encryption\.key does not hold the key that this was encrypted with"):
        unseal(sealed, context=HERE)


def test_a_key_that_others_may_read_is_not_used() -> None:
    seal(SECRET, context=HERE)
    _key_file().chmod(0o640)

    with pytest.raises(StackError, match="others may read"):
        seal(SECRET, context=HERE)


def test_a_configured_key_needs_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    _configure(monkeypatch, Fernet.generate_key())

    assert unseal(seal(SECRET, context=HERE), context=HERE) == SECRET
    assert not _key_file().exists()


def test_the_first_key_encrypts_and_all_decrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    _configure(monkeypatch, old)
    sealed = seal(SECRET, context=HERE)

    _configure(monkeypatch, new, old)
    assert unseal(sealed, context=HERE) == SECRET
    resealed = reseal(sealed)
    _configure(monkeypatch, new)
    assert unseal(resealed, context=HERE) == SECRET
    with pytest.raises(StackError, match="MAOS_ENCRYPTION_KEY does not hold"):
        unseal(sealed, context=HERE)


@pytest.mark.parametrize("wrong", ["short", "not base64 at all, but as long as a key is", "é" * 44])
def test_what_is_no_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("MAOS_ENCRYPTION_KEY", wrong)

    with pytest.raises(BadInput, match="MAOS_ENCRYPTION_KEY") as refused:
        seal(SECRET, context=HERE)
    assert wrong not in str(refused.value)


def test_a_damaged_key_file_is_named(home: Path) -> None:
    seal(SECRET, context=HERE)
    _key_file().write_bytes(b"\xff\xfe damaged")

    with pytest.raises(BadInput) as refused:
        seal(SECRET, context=HERE)
    assert refused.value.field == str(home / "keys" / "encryption.key")


def test_keys_are_blanked_wherever_they_would_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seal(SECRET, context=HERE)
    in_file = _key_file().read_text()
    assert without_secrets(f"key {in_file}") == "key [secret]"

    first, second = Fernet.generate_key(), Fernet.generate_key()
    _configure(monkeypatch, first, second)
    assert without_secrets(f"{first.decode()} {second.decode()}") == "[secret] [secret]"
    # By value, and not only because they look random.
    assert keeper().redaction.without_known(f"{second.decode()} {in_file}") == "[secret] [secret]"
