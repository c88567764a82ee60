import json
from pathlib import Path

import pytest

from maos.errors import BadInput
from maos.settings import DatabaseRole, load_settings


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that a running embedded stack leaves for the other commands."""
    for name in ("MAOS_DATABASE_URL", "MAOS_DATABASE_URL_APP", "PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))
    addresses = {
        "database_url": "postgresql://admin:a@127.0.0.1:5/maos",
        "database_url_app": "postgresql://maos_app:b@127.0.0.1:5/maos",
        "prefect_api_url": "http://127.0.0.1:6/api",
        "prefect_api_auth_string": "maos:c",
    }
    (tmp_path / "connection.json").write_text(json.dumps(addresses))


@pytest.mark.usefixtures("stack")
def test_a_running_stack_is_found() -> None:
    settings = load_settings()

    assert settings.database_address(DatabaseRole.APP) == "postgresql://maos_app:b@127.0.0.1:5/maos"
    assert settings.prefect_api_url == "http://127.0.0.1:6/api"


@pytest.mark.usefixtures("stack")
def test_a_role_without_a_login_is_taken_by_option() -> None:
    address = load_settings().database_address(DatabaseRole.OWNER)

    assert address == "postgresql://admin:a@127.0.0.1:5/maos?options=-crole%3Dmaos_owner"


@pytest.mark.usefixtures("stack")
def test_a_database_of_the_operator_is_not_mixed_with_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_DATABASE_URL", "postgresql://me@db.example/maos?sslmode=require")

    address = load_settings().database_address(DatabaseRole.APP)

    assert address == "postgresql://me@db.example/maos?sslmode=require&options=-crole%3Dmaos_app"


@pytest.mark.usefixtures("stack")
def test_a_run_that_was_given_its_logins_never_reads_the_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_DATABASE_URL_APP", "postgresql://maos_app:b@127.0.0.1:5/maos")

    assert load_settings().database_url is None


@pytest.mark.usefixtures("stack")
def test_a_server_of_the_operator_is_not_sent_the_login_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")

    assert load_settings().prefect_api_auth_string is None


def test_without_any_address_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MAOS_DATABASE_URL", raising=False)
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))

    with pytest.raises(BadInput, match="maos up"):
        load_settings().database_address(DatabaseRole.APP)


def test_what_changes_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    homes = []
    for home in ("one", "two", "one"):
        monkeypatch.setenv("MAOS_HOME", home)
        homes.append(load_settings().home)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert homes == [tmp_path / "one", tmp_path / "two", tmp_path / "one"]
    assert load_settings().home == tmp_path / "elsewhere" / "one"
