"""End what a stack has left running, whoever started it."""

import contextlib
from collections.abc import Collection
from functools import partial

import psutil

from deployments.embedded.environment import STACK_VARIABLE
from deployments.embedded.home import Home
from deployments.embedded.parts import STOP_PLANS, PartName
from deployments.embedded.postgres import stop_server
from deployments.embedded.processes import ProcessMark, end_all, is_alive, session_members, stop
from deployments.embedded.state import StackState

_SECONDS = 5.0


def stop_parts(home: Home, state: StackState | None, *, keep: Collection[ProcessMark] = ()) -> list[str]:
    """Stop every process of a stack in order, the worker first, and name the parts that ran.

    Args:
        home: the folder of the stack.
        state: its processes as far as they were written down.
        keep: processes that go on with whatever they have started.
    """
    stopped = []
    for part in reversed(state.parts if state else ()):
        if part.mark is None or part.mark in keep or not is_alive(part.mark):
            continue
        stop(part.mark, STOP_PLANS[PartName(part.name)])
        stopped.append(part.name)
    if end_all(partial(_strays, home, keep), _SECONDS):
        stopped.append("unattended processes")
    server = state.part(PartName.POSTGRES) if state else None
    if (server is None or server.mark not in keep) and stop_server(home.postgres.resolve()):
        stopped.append(PartName.POSTGRES)
    return stopped


def _strays(home: Home, keep: Collection[ProcessMark]) -> list[psutil.Process]:
    """Return the processes that carry this stack's mark in their environment."""
    kept = {process.pid for mark in keep for process in session_members(mark)}
    return [process for process in psutil.process_iter() if process.pid not in kept and _belongs(process, home)]


def _belongs(process: psutil.Process, home: Home) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get(STACK_VARIABLE) == str(home.folder)
    return False
