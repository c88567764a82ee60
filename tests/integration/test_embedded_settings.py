"""What the stack's processes are told, and what is kept from them."""

import socket
from pathlib import Path

import pytest

from deployments.embedded.backoff import Backoff
from deployments.embedded.connection import Connection
from deployments.embedded.credentials import ensure_credentials
from deployments.embedded.environment import base_environment, run_database_environment
from deployments.embedded.home import Home
from deployments.embedded.ports import PortBook, free_port, is_free
from deployments.embedded.prefect_settings import asyncpg_url
from maos.errors import StackError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared folder."""
    prepared = Home(tmp_path / "maos")
    prepared.prepare()
    return prepared


def test_credentials_are_made_once_and_closed_to_others(home: Home) -> None:
    first, second = ensure_credentials(home.credentials), ensure_credentials(home.credentials)

    assert first == second
    assert home.credentials.stat().st_mode & 0o777 == 0o600
    assert home.folder.stat().st_mode & 0o777 == 0o700


def test_damaged_credentials_are_an_error_that_names_the_file(home: Home) -> None:
    home.credentials.write_text("{")

    with pytest.raises(StackError, match=r"credentials\.json is damaged"):
        ensure_credentials(home.credentials)


def test_the_callers_prefect_settings_do_not_leak_into_our_own_server(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://elsewhere.example/api")
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", "{}")
    monkeypatch.setenv("MAOS_DATABASE_URL", "postgresql://elsewhere.example/maos")
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", "a key")
    environment = base_environment(home, remote=False)

    assert "PREFECT_API_URL" not in environment
    assert "PREFECT_CLIENT_CUSTOM_HEADERS" not in environment
    assert "MAOS_DATABASE_URL" not in environment
    assert environment["MAOS_ANTHROPIC_API_KEY"] == "a key"
    assert environment["PREFECT_HOME"] == str(home.prefect)


def test_a_server_elsewhere_keeps_the_callers_settings_for_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", "{}")
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", "1")
    environment = base_environment(home, remote=True)

    assert environment["PREFECT_CLIENT_CUSTOM_HEADERS"] == "{}"
    assert "PREFECT_SERVER_API_PORT" not in environment


def test_a_run_is_not_told_the_administrators_address() -> None:
    connection = Connection(
        database_url="postgresql://admin@127.0.0.1/maos",
        database_url_app="postgresql://app@127.0.0.1/maos",
        database_url_system="postgresql://system@127.0.0.1/maos",
        prefect_api_url="http://127.0.0.1:4200/api",
    )

    assert run_database_environment(connection) == {
        "MAOS_DATABASE_URL_APP": "postgresql://app@127.0.0.1/maos",
        "MAOS_DATABASE_URL_SYSTEM": "postgresql://system@127.0.0.1/maos",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@127.0.0.1:5/prefect", "postgresql+asyncpg://u:p@127.0.0.1:5/prefect"),
        ("postgresql://u@h/prefect?sslmode=require", "postgresql+asyncpg://u@h/prefect?ssl=require"),
        ("postgres://u@h/prefect?connect_timeout=5", "postgresql+asyncpg://u@h/prefect"),
    ],
)
def test_an_address_is_put_into_the_words_of_prefects_driver(given: str, expected: str) -> None:
    assert asyncpg_url(given) == expected


def test_a_part_keeps_its_port_between_starts(home: Home) -> None:
    first = PortBook(home.ports, in_use=()).choose("prefect", configured=None)

    assert is_free(first)
    assert PortBook(home.ports, in_use=()).choose("prefect", configured=None) == first


def test_a_configured_port_that_is_taken_is_an_error_that_names_the_setting(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        with pytest.raises(StackError, match="MAOS_PREFECT_PORT"):
            PortBook(home.ports, in_use=()).choose("prefect", configured=taken)
        assert free_port(taken) != taken


def test_a_part_that_keeps_ending_is_started_ever_less_often() -> None:
    backoff, now, pauses = Backoff(), 0.0, []
    for _ in range(8):
        started = now
        backoff.note_start(now)
        while not backoff.may_start(now):
            now += 1.0
        pauses.append(now - started)

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_part_that_has_lasted_is_started_again_at_once() -> None:
    backoff = Backoff()
    for second in (0.0, 1.0, 3.0):
        backoff.note_start(second)
    backoff.note_start(100.0)

    assert backoff.may_start(101.0)
