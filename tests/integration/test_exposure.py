"""A Prefect API that strangers could use is not served, and not used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.embedded.credentials import Credentials
from deployments.embedded.exposure import check_api, is_loopback, server_faults
from deployments.embedded.home import Home
from deployments.embedded.ports import free_port
from deployments.embedded.prefect_api import serves_strangers
from deployments.embedded.prefect_settings import server_environment
from maos.errors import StackError

ROOT = Path(__file__).parent.parent.parent
GENERATED = "maos:uR9-generated_Password"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - to be refused


@pytest.mark.parametrize(
    ("host", "auth_string", "fault"),
    [
        (EVERYWHERE, None, "AUTH_STRING is not set; on 0.0.0.0, which other machines reach"),
        ("127.0.0.1", None, "AUTH_STRING is not set; on 127.0.0.1"),
        ("127.0.0.1", "", "AUTH_STRING is not set"),
        ("::", GENERATED.partition(":")[2], "not of the form user:password"),
        ("127.0.0.1", ":uR9-generated_Password", "not of the form user:password"),
        (EVERYWHERE, "admin:pass", "has 4 characters, on 0.0.0.0, which other machines reach; it takes at least 16"),
        ("127.0.0.1", "maos:aaaaaaaaaaaaaaaaaaaa", "repeats a few characters"),
    ],
)
def test_a_server_without_a_login_that_holds_is_refused(host: str, auth_string: str | None, fault: str) -> None:
    assert fault in "; ".join(server_faults(host, auth_string))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", EVERYWHERE, "prefect.internal"])
def test_a_generated_login_is_accepted(host: str) -> None:
    assert server_faults(host, GENERATED) == []
    assert server_faults(host, Credentials().prefect_auth_string) == []


def test_the_stacks_own_server_listens_on_this_machine_alone_and_asks_for_a_login(tmp_path: Path) -> None:
    credentials = Credentials()
    settings = server_environment(
        Home(tmp_path), port=4200, database_url="postgresql://db/prefect", auth_string=credentials.prefect_auth_string
    )

    assert is_loopback(settings["PREFECT_SERVER_API_HOST"])
    assert settings["PREFECT_SERVER_API_AUTH_STRING"] == credentials.prefect_auth_string


@pytest.mark.parametrize(
    "exposed",
    [
        {"PREFECT_SERVER_API_HOST": EVERYWHERE, "PREFECT_SERVER_API_AUTH_STRING": ""},
        {"PREFECT_SERVER_API_HOST": EVERYWHERE, "PREFECT_SERVER_API_AUTH_STRING": "admin:pass"},
    ],
)
def test_the_server_process_refuses_to_start_and_says_why(tmp_path: Path, exposed: dict[str, str]) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    settings = server_environment(home, port=free_port(), database_url="postgresql://db/prefect", auth_string=GENERATED)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-m", "deployments.embedded.prefect_server"],
        env={**kept, "PREFECT_HOME": str(home.prefect), "PYTHONPATH": str(ROOT), **settings, **exposed},
        cwd=home.prefect,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "maos: prefect: " in done.stderr
    assert "PREFECT_SERVER_API_AUTH_STRING" in done.stderr
    assert "pass" not in done.stderr.replace("password", "")


def test_an_api_elsewhere_that_answers_strangers_is_refused() -> None:
    with pytest.raises(StackError, match=r"the API at prefect\.internal answers without a login.*AUTH_STRING"):
        check_api("http://prefect.internal:4200/api", serves_strangers=lambda: True)
    check_api("http://prefect.internal:4200/api", serves_strangers=lambda: False)


def test_an_api_of_this_machine_is_not_asked() -> None:
    def never() -> bool:
        raise AssertionError

    check_api("http://127.0.0.1:4200/api", serves_strangers=never)


def test_the_server_of_the_stack_serves_no_strangers(prefect_api: str) -> None:
    assert not serves_strangers(prefect_api)
