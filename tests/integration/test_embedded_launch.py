"""A run's process is forked from a template: it must live, end and be told as if it were the launcher itself."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux only")

_ROOT = Path(__file__).parents[2]
# Stands in for the process that has Prefect loaded: the child does what its environment says.
_TEMPLATE = """
import os, sys
from pathlib import Path
from deployments.embedded.forking import ForkServer
request = ForkServer(Path(sys.argv[1]), may_fork=lambda: not Path(sys.argv[2]).exists()).serve()
if request is not None:
    for number, descriptor in enumerate(request.standard_files):
        os.dup2(descriptor, number)
    exec(request.environment["CODE"])
"""
Launch = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="maos-launch-") as name:
        yield Path(name)


@pytest.fixture
def template(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that forks on request."""
    arguments = [sys.executable, "-c", _TEMPLATE, str(folder / "socket"), str(folder / "stale")]
    process = subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": str(_ROOT)})
    _wait_for((folder / "socket").exists)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def launch(folder: Path, template: "subprocess.Popen[bytes]") -> Iterator[Launch]:  # noqa: ARG001 - it must run
    """Starts a launcher whose forked process runs some code; without template, Prefect would be missing its run."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> "subprocess.Popen[str]":
        environment = os.environ | {
            "PYTHONPATH": str(_ROOT),
            "MAOS_LAUNCH_SOCKET": str(folder / "socket"),
            "CODE": code,
        }
        arguments = [sys.executable, "-m", "deployments.embedded.launcher"]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(arguments, env=environment, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _child(template: "subprocess.Popen[bytes]") -> psutil.Process | None:
    return next(iter(psutil.Process(template.pid).children()), None)


def test_output_and_exit_code_are_the_childs(launch: Launch) -> None:
    launched = launch("print('from the child'); sys.exit(7)")

    assert launched.communicate(timeout=20)[0] == "from the child\n"
    assert launched.returncode == 7


def test_a_signal_that_ends_the_child_ends_the_launcher(launch: Launch) -> None:
    launched = launch("os.kill(os.getpid(), 9)")

    assert launched.wait(20) == -signal.SIGKILL


def test_a_signal_to_the_launcher_reaches_the_child(launch: Launch) -> None:
    # Blocked and waited for: Python overlooks a signal to a handler that comes just before it begins to sleep.
    code = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {15}); print('ready', flush=True); " + (
        "sys.exit(3 if signal.sigtimedwait({15}, 60) else 4)"
    )
    # Often, because the child may be ready before the launcher knows that there is one.
    for _ in range(30):
        launched = launch(code)
        assert launched.stdout is not None
        launched.stdout.readline()
        launched.terminate()

        assert launched.wait(20) == 3


def test_a_killed_launcher_takes_the_child_with_it(launch: Launch, template: "subprocess.Popen[bytes]") -> None:
    launched = launch("import time; time.sleep(60)")
    _wait_for(lambda: _child(template))
    child = _child(template)
    assert child is not None
    launched.kill()

    _wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_many_children_end_each_with_their_own_code(launch: Launch) -> None:
    launched = {code: launch(f"sys.exit({code})") for code in range(1, 9)}

    assert {code: process.wait(20) for code, process in launched.items()} == {code: code for code in range(1, 9)}


def test_a_template_whose_code_is_stale_leaves_the_run_to_an_ordinary_start(
    folder: Path, launch: Launch, template: "subprocess.Popen[bytes]"
) -> None:
    (folder / "stale").touch()
    launched = launch("")
    _, errors = launched.communicate(timeout=60)

    assert template.wait(20) == 0
    assert "Invalid flow run id" in errors
