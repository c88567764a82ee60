"""Work in a child process, which can be ended whatever it does: a thread cannot."""

import ctypes
import logging
import os
import pickle
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

from maos.errors import EngineFailure, MaosError
from maos.failures import FailureKind

_PR_SET_PDEATHSIG = 1
_CHUNK_BYTES = 1 << 20
# Forking a process that has threads is sound where the child only computes and leaves; macOS does not bear it.
_CAN_FORK = sys.platform == "linux"

T = TypeVar("T")


def run_apart(work: Callable[[], T], *, timeout_seconds: float) -> T:
    """Do the work in a child process and return what it returns; its errors are raised here.

    The child ends with its parent. It must use neither the database nor Prefect. Where a process cannot be forked, the
    work is done in this one, and its timeout is its own affair.

    Raises:
        EngineFailure: when the time is up, or the child was ended from outside.
    """
    if not _CAN_FORK:
        return work()
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(work, writing, parent)
    os.close(writing)
    try:
        answer = _read_until(reading, child, time.monotonic() + timeout_seconds)
    finally:
        os.close(reading)
        status = _end(child)
    if answer is None:
        raise EngineFailure(FailureKind.TIMED_OUT, f"it took longer than {timeout_seconds:g} s and was ended")
    if not answer:
        raise EngineFailure(FailureKind.INTERRUPTED, f"its process was ended from outside ({status})")
    delivered, value = pickle.loads(answer)  # noqa: S301 - our own child's bytes
    if not delivered:
        raise value
    result: T = value
    return result


def tried_apart(work: Callable[[], T], *, timeout_seconds: float) -> T | Exception:
    """Do the work in a child process and hand its error back, for a caller who tells somebody of it."""
    try:
        return run_apart(work, timeout_seconds=timeout_seconds)
    except Exception as error:  # noqa: BLE001 - it is handed over whole
        return error


def limit_memory(more_bytes: int) -> None:
    """Let the child process take so much more memory than it has; for its work to call."""
    # Elsewhere there is no process of its own, and the limit would stay.
    if not _CAN_FORK:
        return
    with open("/proc/self/statm", encoding="ascii") as statm:
        in_use = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + more_bytes, resource.RLIM_INFINITY))


def _be_child(work: Callable[[], object], writing: int, parent: int) -> NoReturn:
    # Whatever happens, this process must not return into its parent's code.
    try:
        # A group of its own: what it starts ends with it.
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # The handlers' threads and locks stayed behind in the parent.
        logging.disable(logging.CRITICAL)
        _write(writing, _answer_of(work))
    finally:
        os._exit(0)


def _answer_of(work: Callable[[], object]) -> bytes:
    try:
        return pickle.dumps((True, work()))
    except MaosError as error:
        return pickle.dumps((False, error))
    except BaseException as error:  # noqa: BLE001 - it is raised again in the parent
        return pickle.dumps((False, _portable(error)))


def _portable(error: BaseException) -> BaseException:
    """Return the error, or one that says the same where it cannot travel between processes."""
    with suppress(Exception):
        if type(pickle.loads(pickle.dumps(error))) is type(error):  # noqa: S301 - our own bytes
            return error
    return EngineFailure(FailureKind.SERVICE_ERROR, f"{type(error).__name__}: {error}")


def _write(writing: int, answer: bytes) -> None:
    sent = 0
    while sent < len(answer):
        sent += os.write(writing, answer[sent : sent + _CHUNK_BYTES])


def _read_until(reading: int, child: int, deadline: float) -> bytes | None:
    """Return all that the child has written when it ends, or None when the time is up before."""
    parts: list[bytes] = []
    # Its end, not that of the pipe: a sibling forked at the same moment may hold the pipe open.
    ended = os.pidfd_open(child)
    os.set_blocking(reading, False)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(reading, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left)}
                parts += _available(reading)
                if ended in ready:
                    return b"".join([*parts, *_available(reading)])
    finally:
        os.close(ended)
    return None


def _available(reading: int) -> list[bytes]:
    parts: list[bytes] = []
    with suppress(BlockingIOError):
        while part := os.read(reading, _CHUNK_BYTES):
            parts.append(part)
    return parts


def _end(child: int) -> int:
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
