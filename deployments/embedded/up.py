"""Bring the stack up, in this terminal or behind it, and down again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from threading import Event

from deployments.embedded.environment import import_path
from deployments.embedded.home import Home, tail
from deployments.embedded.leftovers import stop_parts
from deployments.embedded.lock import only_holder
from deployments.embedded.processes import StopPlan, stop
from deployments.embedded.stack import build_stack
from deployments.embedded.state import StackState, read_state
from deployments.embedded.supervisor import Supervisor
from maos.errors import StackError
from maos.settings import Settings

_START_SECONDS = 240.0
# Its parts are given time to end, one after the other.
_SUPERVISOR_STOP = StopPlan(((signal.SIGTERM, 60.0), (signal.SIGKILL, 5.0)))

Report = Callable[[str], None]


def running_stack(home: Home) -> StackState | None:
    """Return the stack that is up, if one is."""
    state = read_state(home.state)
    return state if state and state.ready and state.is_supervised else None


def supervise(home: Home, settings: Settings, *, report: Report, when_ready: Callable[[], None]) -> bool:
    """Run the stack until a signal comes; return at once with false when another process runs it.

    Args:
        home: the folder of the stack.
        settings: what the operator has configured.
        report: where to say what happens.
        when_ready: called once, when every part works.
    """
    home.prepare(settings.artifact_store, settings.dataset_store)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with only_holder(home.lock) as held:
            if held:
                _run(home, settings, report, when_ready)
                return True
        if running_stack(home):
            return False
        time.sleep(0.2)
    raise StackError("stack", f"another process has been starting it for {_START_SECONDS:.0f} seconds")


def supervise_detached(home: Home) -> None:
    """Start a supervisor behind the terminal and return when every part works."""
    home.prepare()
    log = home.log("supervisor")
    position = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home.folder,
            env=os.environ | {"PYTHONPATH": import_path(os.environ)},
            start_new_session=True,
        )
    while not running_stack(home):
        if process.poll() is not None:
            raise StackError("stack", f"does not start:\n{tail(log, start=position)}")
        time.sleep(0.1)
    process.returncode = 0


def take_down(home: Home) -> list[str]:
    """Stop a running stack, or what a killed one has left, and name what was stopped."""
    state = read_state(home.state)
    stopped = []
    if state and state.is_supervised:
        stopped = [part.name for part in reversed(state.parts) if part.mark] + ["supervisor"]
        stop(state.supervisor, _SUPERVISOR_STOP)
    left = stop_parts(home, read_state(home.state))
    home.connection.unlink(missing_ok=True)
    home.state.unlink(missing_ok=True)
    return stopped + [name for name in left if name not in stopped]


def _run(home: Home, settings: Settings, report: Report, when_ready: Callable[[], None]) -> None:
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    previous = read_state(home.state)
    if previous is None:
        # Whatever still runs here was never written down, or no longer; it must not hold the ports.
        stop_parts(home, None)
    supervisor = Supervisor(build_stack(home, settings, previous), stopping=stopping, report=report)
    try:
        supervisor.start(previous)
        when_ready()
        supervisor.watch()
    finally:
        report("stopping")
        supervisor.stop()
        report("stopped")
