"""Which values of the settings are secret, and which errors may leave a task."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from maos.errors import BadInput, EngineFailure, PlanRefused, StackError
from maos.failures import FailureKind
from maos.known_secrets import redaction_of, secrets_of
from maos.settings import Settings
from tasks.secrecy import discreet, keeper, without_known_secrets

SECRET = "gateway.canary+7f3a"


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keeper.cache_clear()
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", SECRET)


@pytest.mark.parametrize(
    ("field", "value", "secrets"),
    [
        ("anthropic_api_key", "plain-key", {"plain-key"}),
        ("prefect_api_auth_string", "maos:its-password", {"maos:its-password", "its-password"}),
        ("database_url", "postgresql://maos:pass%2Bword@db/maos", {"pass%2Bword", "pass+word"}),
        ("database_url_app", "postgresql://db/maos", set()),
        ("database_url_system", "postgresql://postgres:postgres@db/maos", set()),
        ("gemini_api_key", "  ", set()),
    ],
)
def test_a_secret_is_the_value_or_the_password_in_it(field: str, value: str, secrets: set[str]) -> None:
    assert secrets_of(Settings.model_validate({field: value})) - {SECRET} == secrets


def test_hosts_of_the_settings_are_internal() -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://a:b@pg.example/maos"), prefect_api_url="http://prefect:1/api"
    )

    assert redaction_of(settings).for_clients("pg.example and prefect:4200") == "[host] and [host]"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError(f"bad {SECRET}"), "service_error: ValueError: bad [secret]"),
        (BadInput("title", SECRET, "another"), "title: '[secret]' is not accepted; allowed: another"),
        (PlanRefused([f"step of {SECRET}", "another"]), "the plan is refused: step of [secret]; another"),
        (EngineFailure(FailureKind.BILLING, f"of {SECRET}", 3.0), "billing: of [secret]"),
        (
            StackError("database", "postgresql://u:hunter2@db does not answer"),
            "database: postgresql://[secret]@db does not answer",
        ),
    ],
)
def test_an_error_leaves_without_its_secret_and_stays_what_it_is(error: Exception, words: str) -> None:
    with pytest.raises(type(error) if not isinstance(error, ValueError) else EngineFailure) as raised, discreet():
        raise error

    assert str(raised.value) == words
    assert SECRET not in repr(raised.value)
    assert raised.value.__suppress_context__


def test_an_error_without_a_secret_leaves_as_it_is() -> None:
    error = ValueError("bad luck")

    with pytest.raises(ValueError, match="bad luck") as raised, discreet():
        raise error

    assert raised.value is error


def test_files_of_text_hold_no_known_secret_and_others_are_not_touched() -> None:
    with discreet():
        keeper().learn(redaction_of(Settings()))

    assert without_known_secrets(f"a {SECRET}".encode(), "text/markdown") == b"a [secret]"
    assert without_known_secrets(SECRET.encode(), "image/png") == SECRET.encode()
    assert without_known_secrets(b"\xff\xfe", "text/plain") == b"\xff\xfe"
