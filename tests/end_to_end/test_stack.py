"""The embedded stack as a person runs it: up, looked at, damaged, mended, down, and nothing left."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

_START_SECONDS = 120.0


@dataclass(frozen=True)
class StackCommand:
    """The command line of the stack, for one `MAOS_HOME`."""

    home: Path

    def run(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run one verb to its end."""
        return subprocess.run(
            self._words(arguments),
            env=self._environment() | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=_START_SECONDS,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start one verb and return at once."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self._words(arguments), env=self._environment(), stdout=pipe, stderr=pipe, text=True)

    def status(self) -> dict[str, dict[str, object]]:
        """Return the parts by name."""
        return {part["part"]: part for part in json.loads(self.run("status", "--json").stdout)}

    def pid(self, part: str) -> int:
        """Return the process of a part."""
        pid = self.status()[part]["pid"]
        assert isinstance(pid, int)
        return pid

    def is_healthy(self) -> bool:
        """Say whether every part works."""
        return self.run("status").returncode == 0

    def connection(self) -> dict[str, str]:
        """Return what the other commands are told."""
        read: dict[str, str] = json.loads((self.home / "connection.json").read_text())
        return read

    def processes(self) -> list[psutil.Process]:
        """Return every process that has to do with this home."""
        return [process for process in psutil.process_iter() if self._concerns(process)]

    def _concerns(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            words = [*process.cmdline(), process.cwd(), *process.environ().values()]
            return any(str(self.home) in word or str((self.home / "postgres").resolve()) in word for word in words)
        return False

    def _words(self, arguments: tuple[str, ...]) -> list[str]:
        return [str(Path(sys.executable).parent / "maos"), *arguments]

    def _environment(self) -> dict[str, str]:
        ambient = {name: value for name, value in os.environ.items() if not name.startswith(("MAOS_", "PREFECT_"))}
        return ambient | {"MAOS_HOME": str(self.home)}


@pytest.fixture(scope="module")
def command() -> Iterator[StackCommand]:
    """The command line for a home of its own, cleared away in the end."""
    folder = Path(tempfile.mkdtemp(prefix="maos-stack-"))
    described = StackCommand(folder / "home")
    yield described
    described.run("down")
    shutil.rmtree((folder / "home" / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stack(command: StackCommand) -> StackCommand:
    """A stack that is up; one test's stack serves the next, if it is still there."""
    if not (command.home / "connection.json").exists():
        started = command.run("up", "--detach")
        assert started.returncode == 0, started.stderr
    return command


def _wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_up_leaves_every_part_working(stack: StackCommand) -> None:
    parts = stack.status()

    assert set(parts) == {"supervisor", "postgres", "prefect", "worker"}
    assert all(part["healthy"] for part in parts.values())
    assert all(isinstance(part["pid"], int) for part in parts.values())


def test_a_second_up_says_that_the_stack_runs(stack: StackCommand) -> None:
    before = stack.status()
    again = stack.run("up")

    assert again.returncode == 0
    assert "running already" in again.stdout
    assert stack.status() == before


def test_the_prefect_api_is_closed_to_others_and_open_to_the_login(stack: StackCommand) -> None:
    connection = stack.connection()
    user, _, password = connection["prefect_api_auth_string"].partition(":")
    address = f"{connection['prefect_api_url']}/deployments/filter"

    assert httpx.post(address, json={}, trust_env=False).status_code == 401
    assert httpx.post(address, json={}, auth=(user, "guess"), trust_env=False).status_code == 401
    known = httpx.post(address, json={}, auth=(user, password), trust_env=False)
    assert "generate-report" in {deployment["name"] for deployment in known.json()}


def test_every_part_listens_on_loopback_only(stack: StackCommand) -> None:
    listening = {
        connection.laddr.ip
        for part in ("postgres", "prefect", "worker")
        for connection in psutil.Process(stack.pid(part)).net_connections("inet")
        if connection.status == "LISTEN"
    }

    assert listening == {"127.0.0.1"}


def test_the_ui_asks_this_server_and_no_other(stack: StackCommand) -> None:
    api = stack.connection()["prefect_api_url"]
    base = api.removesuffix("/api")
    settings = httpx.get(f"{base}/ui-settings", trust_env=False)

    assert settings.json()["api_url"] == api
    assert settings.json()["auth"] == "BASIC"
    assert settings.headers["content-security-policy"].startswith("connect-src 'self' http://127.0.0.1:")


@pytest.mark.parametrize(
    ("login", "role"),
    [
        ("database_url_app", "maos_app"),
        ("database_url_system", "maos_system"),
        ("database_url", "maos_admin"),
    ],
)
def test_each_login_is_told_to_the_other_commands(stack: StackCommand, login: str, role: str) -> None:
    with psycopg.connect(stack.connection()[login]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role,)


def test_the_login_of_a_run_cannot_reach_prefects_database(stack: StackCommand) -> None:
    address = stack.connection()["database_url_app"].removesuffix("/maos") + "/prefect"

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(address)


def test_passwords_are_closed_to_others(stack: StackCommand) -> None:
    for name in ("credentials.json", "connection.json", "stack.json"):
        assert (stack.home / name).stat().st_mode & 0o777 == 0o600


def test_runs_are_not_given_the_administrators_login(stack: StackCommand) -> None:
    environment = psutil.Process(stack.pid("worker")).environ()

    assert "MAOS_DATABASE_URL_APP" in environment
    assert not [value for value in environment.values() if "maos_admin" in value]


@pytest.mark.parametrize("part", ["worker", "prefect", "postgres"])
def test_a_killed_part_is_started_again(stack: StackCommand, part: str) -> None:
    killed = stack.pid(part)
    os.kill(killed, signal.SIGKILL)

    _wait_for(lambda: stack.is_healthy() and stack.pid(part) != killed)


def test_after_a_killed_supervisor_up_takes_over_what_still_works(stack: StackCommand) -> None:
    before = stack.status()
    os.kill(stack.pid("supervisor"), signal.SIGKILL)
    _wait_for(lambda: not stack.is_healthy())
    again = stack.run("up", "--detach")
    after = stack.status()

    assert again.returncode == 0, again.stderr
    assert all(part["healthy"] for part in after.values())
    assert after["supervisor"]["pid"] != before["supervisor"]["pid"]
    assert {name: after[name]["pid"] for name in ("postgres", "prefect", "worker")} == {
        name: before[name]["pid"] for name in ("postgres", "prefect", "worker")
    }


def test_after_a_killed_supervisor_and_part_up_starts_what_is_missing(stack: StackCommand) -> None:
    server = stack.pid("prefect")
    os.kill(stack.pid("supervisor"), signal.SIGKILL)
    os.kill(server, signal.SIGKILL)
    again = stack.run("up", "--detach")

    assert again.returncode == 0, again.stderr
    assert stack.is_healthy()
    assert stack.pid("prefect") != server


def test_down_leaves_no_process_and_keeps_the_data(stack: StackCommand) -> None:
    secrets = (stack.home / "credentials.json").read_text()
    down = stack.run("down")

    assert down.returncode == 0
    assert stack.processes() == []
    assert not (stack.home / "connection.json").exists()
    assert stack.run("status").returncode == 1
    assert "not running" in stack.run("down").stdout
    assert (stack.home / "credentials.json").read_text() == secrets
    assert (stack.home / "postgres" / "PG_VERSION").exists()


def test_two_ups_at_once_make_one_stack(command: StackCommand) -> None:
    racing = [command.start("up", "--detach") for _ in range(2)]
    for racer in racing:
        racer.communicate(timeout=_START_SECONDS)

    assert [racer.returncode for racer in racing] == [0, 0]
    assert command.is_healthy()
    assert len([each for each in command.processes() if each.cmdline()[1:] == ["-m", "deployments", "up"]]) == 1


def test_down_ends_what_a_killed_supervisor_has_left(stack: StackCommand) -> None:
    os.kill(stack.pid("supervisor"), signal.SIGKILL)
    (stack.home / "stack.json").unlink()
    down = stack.run("down")

    assert down.stdout == "Stopped: unattended processes, postgres.\n"
    assert stack.processes() == []


def test_ctrl_c_in_the_foreground_stops_everything(command: StackCommand) -> None:
    foreground = command.start("up")
    _wait_for((command.home / "connection.json").exists)
    foreground.send_signal(signal.SIGINT)
    printed, errors = foreground.communicate(timeout=60)

    assert foreground.returncode == 0
    assert "Prefect UI: http://127.0.0.1:" in printed
    assert errors == ""
    assert command.processes() == []


def test_a_bad_setting_is_one_line_and_exit_code_2(command: StackCommand) -> None:
    refused = command.run("up", MAOS_PREFECT_PORT="many")

    assert refused.returncode == 2
    assert refused.stderr.startswith("maos: MAOS_PREFECT_PORT: 'many' is not accepted; allowed: ")
    assert len(refused.stderr.splitlines()) == 1
