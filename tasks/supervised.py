"""A program of others as a child process: watched while it works, and ended with all that it has started.

A supervisor stands between: a process of our own that takes in whatever the program leaves behind, and that ends all
of it when the work is done, the time is up, or the process that wants the work is gone.
"""

import ctypes
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn, Protocol, TypeVar

import psutil

from maos.errors import EngineFailure
from maos.failures import FailureKind
from tasks.apart import run_apart

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CHUNK_BYTES = 1 << 16
_LONGEST_LINE = 8_000_000
_MOST_OUTPUT_BYTES = 512_000_000
_LARGEST_FILE_BYTES = 64_000_000
# For the supervisor to end what is left, before it is ended itself.
_GRACE_SECONDS = 20.0
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Program:
    """What to run: its environment is all that it gets of ours."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path
    stdin: Path
    stderr: Path


class Watcher(Protocol):
    """Reads what the program says, line by line."""

    def take(self, line: bytes) -> bool:
        """Read a line; say whether the program is to be ended now."""

    def note_end(self, how: str, *, timed_out: bool) -> None:
        """Hear how the program came to its end by itself, or that its time is up."""


W = TypeVar("W", bound=Watcher)


def run_supervised(program: Program, watcher: W, *, timeout_seconds: float) -> W:
    """Run a program to its end and return the watcher, which has read all that it said.

    Raises:
        EngineFailure: when it cannot be run here, says too much, or its supervisor was ended from outside.
    """
    if sys.platform != "linux":
        raise EngineFailure(FailureKind.NOT_CONFIGURED, "programs are run on Linux only")
    return run_apart(
        lambda: _supervise(program, watcher, time.monotonic() + timeout_seconds),
        timeout_seconds=timeout_seconds + _GRACE_SECONDS,
    )


def _supervise(program: Program, watcher: W, deadline: float) -> W:
    _be_supervisor()
    process = _started(program)
    try:
        _watch(process, watcher, deadline)
    finally:
        _end_all()
    return watcher


def _be_supervisor() -> None:
    # Before the signal, its handler: until now, the end of the parent kills at once.
    signal.signal(signal.SIGTERM, _leave)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Whatever loses its parent becomes ours, however it has cut itself loose.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE_BYTES, _LARGEST_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _leave(*_: object) -> NoReturn:
    _end_all()
    os._exit(1)


def _started(program: Program) -> "subprocess.Popen[bytes]":
    with program.stdin.open("rb") as given, program.stderr.open("wb") as complaints:
        try:
            return subprocess.Popen(
                list(program.arguments),
                env=dict(program.environment),
                cwd=program.folder,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=complaints,
                # The supervisor has no threads: between fork and exec, our own code is safe.
                preexec_fn=_end_with_supervisor,
            )
        except OSError as error:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, f"the program does not start: {error.strerror}") from None


def _end_with_supervisor() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value)


def _watch(process: "subprocess.Popen[bytes]", watcher: Watcher, deadline: float) -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    for line in _lines(process.pid, process.stdout, deadline):
        if line is None:
            watcher.note_end("its time is up", timed_out=True)
            return
        if watcher.take(line):
            return
    watcher.note_end(f"it ended with {process.wait()}", timed_out=False)


def _lines(child: int, output: IO[bytes], deadline: float) -> Iterator[bytes | None]:
    """Yield each line until the program ends; None when the time is up before."""
    os.set_blocking(output.fileno(), False)
    # Its end, not that of the pipe: what it has started may hold the pipe open.
    ended = os.pidfd_open(child)
    rest, read = b"", 0
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(ended, selectors.EVENT_READ)
            selector.register(output, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left)}
                for part in _parts(output, lambda: selector.unregister(output)):
                    read += len(part)
                    *whole, rest = (rest + part).split(b"\n")
                    yield from whole
                    _check_size(rest, read)
                if ended in ready:
                    yield from filter(None, [rest])
                    return
    finally:
        os.close(ended)
    yield None


def _parts(output: IO[bytes], at_end: Callable[[], object]) -> Iterator[bytes]:
    # Its end shows for ever, and would wake the selector for ever.
    with suppress(BlockingIOError, KeyError):
        while part := os.read(output.fileno(), _CHUNK_BYTES):
            yield part
        at_end()


def _check_size(line: bytes, read: int) -> None:
    if len(line) > _LONGEST_LINE:
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"a line of more than {_LONGEST_LINE:,} bytes")
    if read > _MOST_OUTPUT_BYTES:
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"an output of more than {_MOST_OUTPUT_BYTES:,} bytes")


def _end_all() -> None:
    """End everything that descends from this process; what starts meanwhile is found in the next round."""
    this = psutil.Process()
    while family := this.children(recursive=True):
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(_PAUSE_SECONDS)
