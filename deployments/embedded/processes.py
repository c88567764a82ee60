"""Start, recognise and end processes that may outlive the process that started them."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
from pydantic import BaseModel

from deployments.embedded.accounts import Account, process_owner

# The kernel's boot time, from which start times are counted, moves when the clock is set.
_CLOCK_TOLERANCE_SECONDS = 2.0
_LOG_LIMIT_BYTES = 20_000_000
# What is being started while the others end is found in the next round; what survives so many cannot be ended.
_ROUNDS = 5


class ProcessMark(BaseModel, frozen=True):
    """A process that is still recognised after its number was given to another."""

    pid: int
    created: float


@dataclass(frozen=True)
class Command:
    """How to start a process, and as whom."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    account: Account | None = None


@dataclass(frozen=True)
class StopPlan:
    """The signals that end a process, each with the seconds it is given."""

    steps: Sequence[tuple[signal.Signals, float]] = field(default=((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)))


def mark_of(pid: int) -> ProcessMark:
    """Return the mark of a process that runs now."""
    return ProcessMark(pid=pid, created=psutil.Process(pid).create_time())


def find(mark: ProcessMark) -> psutil.Process | None:
    """Return the marked process, unless it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(mark.pid)
        if abs(process.create_time() - mark.created) > _CLOCK_TOLERANCE_SECONDS:
            return None
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
        with contextlib.suppress(ChildProcessError):
            os.waitpid(mark.pid, os.WNOHANG)
    return None


def is_alive(mark: ProcessMark | None) -> bool:
    """Say whether the marked process still runs."""
    return mark is not None and find(mark) is not None


def launch(command: Command) -> ProcessMark:
    """Start a process in a session of its own, with its output in the log."""
    process = _open(command)
    mark = mark_of(process.pid)
    # From here on the mark stands for it; else Python would warn about a process nobody waited for.
    process.returncode = 0
    return mark


def run(command: Command, *, while_waiting: Callable[[], object]) -> int:
    """Run a process to its end and return its exit code.

    Args:
        command: what to run.
        while_waiting: called again and again; what it raises ends the process.
    """
    process = _open(command)
    try:
        while process.poll() is None:
            while_waiting()
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    return process.returncode


def stop(mark: ProcessMark, plan: StopPlan) -> None:
    """End a process step by step, then whatever is left of its session."""
    for number, seconds in plan.steps:
        process = find(mark)
        if process is None:
            break
        _signal([process], number)
        wait_gone([process], seconds)
    end_all(partial(session_members, mark), 5.0)


def session_members(mark: ProcessMark) -> list[psutil.Process]:
    """Return the living processes of the session that the marked process led or leads."""
    if psutil.pid_exists(mark.pid) and find(mark) is None:
        # The number is taken by another process, which proves that the whole session has ended.
        return []
    return [process for process in psutil.process_iter() if _session_of(process) == mark.pid]


def end_all(find_left: Callable[[], list[psutil.Process]], seconds: float) -> bool:
    """Ask processes to end, then end them, and so with those that they have started meanwhile.

    Args:
        find_left: finds those that run now.
        seconds: how long they are given to end when asked, and then when killed.

    Returns:
        Whether there were any.
    """
    rounds = 0
    while rounds < _ROUNDS and (left := find_left()):
        _signal(left, signal.SIGTERM)
        _signal(wait_gone(left, seconds), signal.SIGKILL)
        wait_gone(left, seconds)
        rounds += 1
    return rounds > 0


def wait_gone(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until the processes have ended and return those that have not."""
    left, deadline = list(processes), time.monotonic() + seconds
    while left := [process for process in left if _runs(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.03)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return find(ProcessMark(pid=process.pid, created=process.create_time())) is not None
    except psutil.NoSuchProcess:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, PermissionError, psutil.AccessDenied):
            process.send_signal(number)


def _session_of(process: psutil.Process) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(process.pid)
    return None


def _open(command: Command) -> "subprocess.Popen[bytes]":
    if command.log.exists() and command.log.stat().st_size > _LOG_LIMIT_BYTES:
        command.log.replace(command.log.with_suffix(".log.1"))
    with command.log.open("ab") as log:
        return subprocess.Popen(
            list(command.arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.folder,
            env=dict(command.environment),
            # Ctrl+C in a terminal must reach the supervisor only.
            start_new_session=True,
            **process_owner(command.account),
        )
