"""Blocks keep their secrets: in what is printed of them, in their errors, and in Prefect's database."""

import importlib
import pkgutil

import pytest
from prefect.blocks.core import Block
from pydantic import SecretStr, ValidationError

import blocks
from maos.known_secrets import secrets_of

CANARY = "canary.block+qzx"


def _block_types() -> list[type[Block]]:
    modules = [importlib.import_module(f"blocks.{found.name}") for found in pkgutil.iter_modules(blocks.__path__)]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Block) and value.__module__ == module.__name__
    ]


def _secret_fields(block: type[Block]) -> list[str]:
    return [name for name, field in block.model_fields.items() if "SecretStr" in str(field.annotation)]


@pytest.mark.parametrize("block", _block_types())
def test_what_is_called_a_secret_is_one(block: type[Block]) -> None:
    called = {
        name for name in block.model_fields if any(word in name for word in ("key", "password", "secret", "token"))
    }

    assert called == set(_secret_fields(block))


@pytest.mark.parametrize(
    ("block", "field"), [(block, name) for block in _block_types() for name in _secret_fields(block)]
)
def test_a_block_shows_its_secret_nowhere(block: type[Block], field: str) -> None:
    filled = block(**{field: CANARY})

    assert secrets_of(filled) == {CANARY}
    for shown in (repr(filled), str(filled), f"{filled.model_dump()}", filled.model_dump_json()):
        assert CANARY not in shown
    assert isinstance(getattr(filled, field), SecretStr)


@pytest.mark.parametrize(
    ("block", "field"), [(block, name) for block in _block_types() for name in _secret_fields(block)]
)
def test_an_error_of_a_block_does_not_repeat_what_it_was_given(block: type[Block], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        block(**{field: [CANARY]})

    assert CANARY not in str(refused.value)
