"""How each part of the stack is, checked now."""

from collections.abc import Sequence

from pydantic import BaseModel
from rich.table import Table

from deployments.embedded.connection import Connection
from deployments.embedded.health import fault_of
from deployments.embedded.home import Home
from deployments.embedded.parts import PartName
from deployments.embedded.processes import is_alive
from deployments.embedded.state import StackState, read_state

SUPERVISOR = "supervisor"
_NOT_RUNNING = "is not running"


class PartStatus(BaseModel, frozen=True):
    """One line of the table of parts."""

    part: str
    address: str | None = None
    pid: int | None = None
    healthy: bool = False
    detail: str | None = _NOT_RUNNING


def stack_status(home: Home, connection: Connection | None) -> list[PartStatus]:
    """Check the supervisor and every part.

    Args:
        home: the folder of the stack.
        connection: where the stack answers, if it is up.
    """
    state = read_state(home.state)
    if state is None:
        return [PartStatus(part=name) for name in (SUPERVISOR, *PartName)]
    return [_supervisor_status(home, state), *(_part_status(state, name, connection) for name in PartName)]


def _supervisor_status(home: Home, state: StackState) -> PartStatus:
    alive = is_alive(state.supervisor)
    return PartStatus(
        part=SUPERVISOR,
        address=str(home.folder),
        pid=state.supervisor.pid if alive else None,
        healthy=alive,
        detail=None if alive else _NOT_RUNNING,
    )


def _part_status(state: StackState, name: str, connection: Connection | None) -> PartStatus:
    part = state.part(name)
    if part is None:
        return PartStatus(part=name)
    fault = fault_of(name, connection, part.mark) if connection else "is starting"
    return PartStatus(
        part=name,
        address=part.address,
        pid=part.mark.pid if part.mark and is_alive(part.mark) else None,
        healthy=fault is None,
        detail=fault,
    )


def status_table(parts: Sequence[PartStatus]) -> Table:
    """Draw the table of parts."""
    table = Table("part", "address", "pid", "healthy")
    for part in parts:
        verdict = "[green]yes[/green]" if part.healthy else f"[red]no[/red]: {(part.detail or '').splitlines()[0]}"
        table.add_row(part.part, part.address or "-", str(part.pid or "-"), verdict)
    return table
