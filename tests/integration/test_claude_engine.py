"""The writer's block: where its key and address come from, and what its client never picks up by itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from blocks.claude import MODELS, ClaudeEngine
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.pricing import cost_of
from maos.usage import TokenUsage
from tests.messages_server import MODELS as SERVED

KEY = "sk-test-canary-7f3a"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))
    for name in ("MAOS_ANTHROPIC_API_KEY", "MAOS_ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_key_of_the_block_goes_before_the_key_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", "sk-test-settings")

    assert ClaudeEngine(api_key=KEY).resolved_key() == SecretStr(KEY)
    assert ClaudeEngine().resolved_key() == SecretStr("sk-test-settings")
    assert ClaudeEngine(api_key="").resolved_key() == SecretStr("sk-test-settings")


def test_the_address_of_the_block_goes_before_the_settings_and_the_vendors_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ClaudeEngine().resolved_base_url() == "https://api.anthropic.com"

    monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", "http://gateway:1")

    assert ClaudeEngine().resolved_base_url() == "http://gateway:1"
    assert ClaudeEngine(base_url="http://other:2").resolved_base_url() == "http://other:2"


def test_an_engine_without_a_key_is_not_configured_whatever_the_sdk_would_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)

    assert not ClaudeEngine().configured
    with pytest.raises(EngineFailure) as caught:
        ClaudeEngine().get_client()
    assert caught.value.kind is FailureKind.NOT_CONFIGURED


@pytest.mark.parametrize("key", ["sk-ant-abc…xyz", "sk-ant\nabc", "   "])
def test_a_key_that_cannot_be_sent_is_refused_without_being_repeated(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", key)

    with pytest.raises(EngineFailure) as caught:
        ClaudeEngine().get_client()

    assert caught.value.kind is FailureKind.NOT_CONFIGURED
    assert "sk-ant" not in str(caught.value)


def test_the_client_takes_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ambient")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "sk-ambient")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://ambient.invalid")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "Authorization: Bearer sk-ambient\nx-ambient: 1")

    with ClaudeEngine(api_key=KEY).get_client() as client:
        assert client.api_key == KEY
        assert client.auth_token is None
        assert str(client.base_url) == "https://api.anthropic.com"
        assert client.max_retries == 0
        assert client.default_headers["Authorization"] == f"Bearer {KEY}"
        assert "x-ambient" not in client.default_headers


@pytest.mark.parametrize("fields", [{"base_url": "api.example.com"}, {"model": "gpt"}, {"timeout_seconds": 0}])
def test_a_block_with_a_wrong_field_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClaudeEngine(**fields)


def test_the_block_shows_its_key_to_nobody() -> None:
    engine = ClaudeEngine(api_key=KEY)

    assert KEY not in f"{engine!r} {engine} {engine.model_dump_json()}"


def test_every_field_says_what_it_is_for() -> None:
    descriptions = [field.description or "" for field in ClaudeEngine.model_fields.values()]

    assert all(text.endswith(".") for text in descriptions)
    assert ClaudeEngine.get_description()
    assert 'ClaudeEngine.load("BLOCK_NAME")' in (ClaudeEngine.get_code_example() or "")
    assert ClaudeEngine.get_block_type_slug() == "claude-engine"


def test_every_model_that_can_be_chosen_has_a_price() -> None:
    assert set(MODELS.values()) == SERVED
    for model in MODELS.values():
        assert cost_of(TokenUsage(output_tokens=1000), model, datetime(2026, 11, 20, tzinfo=UTC)).usd > 0


def test_a_schema_is_in_the_strict_dialect() -> None:
    class Section(BaseModel):
        heading: str
        points: list[str]

    class Answer(BaseModel):
        sections: list[Section]

    schema = ClaudeEngine().schema_of(Answer)

    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Section"]["additionalProperties"] is False
    assert schema["$defs"]["Section"]["required"] == ["heading", "points"]
