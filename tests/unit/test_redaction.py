import pytest

from maos.redaction import for_clients, without_secrets


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-REDACTED",
        "AIzaSyA1234567890abcdefg",
        "Bearer abc.def.ghi",
        "ghp_0123456789abcdef",
    ],
)
def test_keys_are_blanked(secret: str) -> None:
    assert secret not in without_secrets(f"the call with {secret} failed")


def test_the_password_of_an_address_is_blanked_and_its_host_stays() -> None:
    assert without_secrets("postgresql://maos:hunter2@127.0.0.1/maos") == "postgresql://[secret]@127.0.0.1/maos"


@pytest.mark.parametrize("name", ["Anthropic", "claude-sonnet-5-5", "Gemini", "gpt-6", "Claude"])
def test_vendors_and_models_are_not_named_to_clients(name: str) -> None:
    assert for_clients(f"written by {name} today") == "written by [engine] today"


def test_text_for_clients_has_a_longest_length() -> None:
    assert len(for_clients("word " * 200)) == 500
