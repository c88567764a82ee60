"""Every block passes Prefect's own standards, and a wrong one cannot be saved."""

import inspect
from typing import Any

import prefect.blocks.notifications
import prefect.blocks.system
import prefect.filesystems
import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites import BlockStandardTestSuite
from pydantic import ValidationError

import blocks
from blocks.claude import ClaudeEngine
from blocks.gemini_image import GeminiImageEngine
from blocks.mail_server import MailServer
from deployments.embedded.registration import _block_types

OURS = sorted(_block_types(), key=lambda block: block.__name__)
CANARY = "canary7f3a"


def _shipped_logos() -> set[str]:
    modules = (prefect.blocks.notifications, prefect.blocks.system, prefect.filesystems)
    shipped = (value for module in modules for value in vars(module).values() if inspect.isclass(value))
    return {str(block._logo_url) for block in shipped if issubclass(block, Block)}


class TestStandards(BlockStandardTestSuite):
    """Prefect's suite over all of our blocks."""

    @pytest.fixture(params=OURS, ids=lambda block: block.__name__)
    def block(self, request: pytest.FixtureRequest) -> type[Block]:
        """Return one of them."""
        found: type[Block] = request.param
        return found

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """Look the picture up among those that Prefect ships with: its own suite has fetched and measured them."""
        assert str(block._logo_url) in _shipped_logos()


def test_every_block_is_named_where_prefect_registers_them() -> None:
    assert sorted(blocks.__all__) == [block.__name__ for block in OURS]


@pytest.mark.parametrize(
    ("block", "fields", "said"),
    [
        (ClaudeEngine, {"model": "gpt"}, "'opus', 'sonnet' or 'haiku'"),
        (ClaudeEngine, {"timeout_seconds": 0}, "greater than 0"),
        (MailServer, {"host": "smtp://mail.example"}, "a name like mail.example"),
        (MailServer, {"host": "mail.example:25"}, "without the port"),
        (MailServer, {"sender": "nobody"}, "should match pattern"),
        (MailServer, {"port": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_field_is_refused_with_what_is_allowed(block: type[Block], fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        block(**fields)

    assert said in str(refused.value)


@pytest.mark.parametrize("block", [ClaudeEngine, GeminiImageEngine])
@pytest.mark.parametrize(
    "address",
    [
        "api.example.com",
        "ftp://api.example",
        "http://",
        "https:// api.example",
        "https://api.example:99999",
        "https://user:canary7f3a@api.example",
        "http://[::1",
    ],
)
def test_an_address_that_cannot_be_called_is_refused(block: type[Block], address: str) -> None:
    with pytest.raises(ValidationError, match="base_url") as refused:
        block(base_url=address)

    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("block", [ClaudeEngine, GeminiImageEngine])
@pytest.mark.parametrize("key", ["   ", f"{CANARY}…xyz", f"{CANARY}\nabc"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(block: type[Block], key: str) -> None:
    with pytest.raises(ValidationError, match="api_key") as refused:
        block(api_key=key)

    assert CANARY not in str(refused.value)


@pytest.mark.usefixtures("prefect_api")
@pytest.mark.parametrize("block", OURS, ids=lambda block: block.__name__)
def test_every_block_can_be_saved_as_it_comes_and_be_loaded(block: type[Block]) -> None:
    block().save("as-it-comes", overwrite=True)

    loaded = block.load("as-it-comes")
    assert {name: getattr(loaded, name) for name in block.model_fields} == {
        name: getattr(block(), name) for name in block.model_fields
    }


@pytest.mark.usefixtures("prefect_api")
def test_an_empty_key_is_none() -> None:
    ClaudeEngine(api_key="", base_url="https://gateway.example/v1").save("keyless", overwrite=True)

    loaded = ClaudeEngine.load("keyless")
    assert isinstance(loaded, ClaudeEngine)
    assert (loaded.api_key, loaded.base_url) == (None, "https://gateway.example/v1")
