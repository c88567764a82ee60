"""One running embedded stack for the end-to-end tests, driven by the command line alone."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import psycopg
import pytest

ROOT = Path(__file__).parent.parent.parent
T = TypeVar("T")


@dataclass(frozen=True)
class Maos:
    """The `maos` command for one `MAOS_HOME`."""

    home: Path

    def run(self, *arguments: str, expect: int | None = 0, **settings: str) -> str:
        """Run a command to its end; return what it printed, stderr last; with no expectation, however it ends."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "maos"), *arguments],
            env=self._environment() | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=ROOT,
        )
        assert expect is None or done.returncode == expect, (
            f"maos {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout + done.stderr

    def python(self, code: str) -> None:
        """Run a piece of Python as the command line would be run."""
        prologue = "from console.prefect_environment import point_prefect_at_server as p; p(); "
        subprocess.run([sys.executable, "-c", prologue + code], env=self._environment(), check=True, cwd=ROOT)

    def json(self, *arguments: str) -> Any:
        """Run a listing; return its rows."""
        return json.loads(self.run(*arguments, "--json"))

    def shown(self, run_id: str, when: str, seconds: float = 120) -> dict[str, Any]:
        """Return what is shown of a run once its row is so; until then the database is asked, which costs little."""
        asked = f"SELECT 1 FROM orchestrator_runs WHERE id = '{run_id}' AND {when}"
        wait_for(lambda: self.rows(asked), seconds)
        found: dict[str, Any] = self.json("runs", "show", run_id)
        return found

    def start_report(self, *arguments: str) -> str:
        """Start the example report and follow it to its gate or its end; return its id."""
        request = "examples/generate_report/request.json"
        return self.run("run", "generate_report", "--request", request, "--wait", *arguments).split()[0]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the database says, as the operator's role."""
        with psycopg.connect(_database_of(self)) as connection:
            return connection.execute(query.encode()).fetchall()

    def connection(self) -> dict[str, str]:
        """Return the addresses of the running stack."""
        found: dict[str, str] = json.loads((self.home / "connection.json").read_text())
        return found

    def prefect(self, method: str, path: str, body: object = None, *, expect: int | None = None) -> Any:
        """Call the Prefect API; return its answer."""
        connection = self.connection()
        user, password = connection["prefect_api_auth_string"].split(":")
        answer = httpx.request(
            method, connection["prefect_api_url"] + path, json=body, auth=(user, password), trust_env=False
        )
        assert answer.is_success if expect is None else answer.status_code == expect, answer.text
        return answer.json()

    def flow_processes(self, run_id: str) -> list[psutil.Process]:
        """Return the processes that execute a run: by its id in their environment or command."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                words = [*process.cmdline(), *process.environ().values()]
                if process.pid != os.getpid() and any(run_id in word for word in words):
                    found.append(process)
        return found

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAOS_", "PREFECT_"))}
        return kept | {"MAOS_HOME": str(self.home), "COLUMNS": "200"}


def wait_for(find: Callable[[], T | None], seconds: float = 120) -> T:
    """Wait until there is something to find."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.1)
    raise TimeoutError


@cache
def _database_of(maos: Maos) -> str:
    return maos.run("db", "url", "--role", "system").strip()


@pytest.fixture(scope="package")
def maos() -> Iterator[Maos]:
    """A running stack with the demo organisation."""
    home = Path(tempfile.mkdtemp(prefix="maos-e2e-"))
    home.chmod(0o711)
    command = Maos(home)
    command.run("up", "--detach")
    yield command
    command.run("down")
    shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
