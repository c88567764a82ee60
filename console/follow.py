"""Following a run: one line a step, renewed until the run ends or waits for a person."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from rich.live import Live
from rich.table import Table

from console.attempts import COLUMNS, attempt_row
from console.output import console, table_of
from console.prefect_api import state_of
from maos.approvals import Approval
from maos.runs import Run
from maos.statuses import ApprovalStatus, RunStatus
from sql.approvals import newest_approvals
from sql.invocations import list_invocations
from sql.runs import find_run
from sql.session import system_session
from sql.tables import AgentInvocation

_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Sight:
    """A run as it is seen at one moment; without a row yet, only Prefect knows of it."""

    run: Run | None
    attempts: Sequence[AgentInvocation]
    pending: Sequence[Approval]
    state: State[Any] | None

    @property
    def settled(self) -> bool:
        """Whether nothing changes until a person does something."""
        if self.run is None:
            return self.state is None or self.state.is_final()
        if self.run.status.ended:
            return True
        suspended = self.state is not None and self.state.is_paused()
        return (suspended and bool(self.pending)) or (self.state is not None and self.state.is_final())


def look(run_id: UUID) -> Sight:
    """Return the run as it stands now."""
    state = state_of(run_id)
    with system_session() as session:
        run = find_run(run_id, session=session)
        if run is None:
            return Sight(run=None, attempts=(), pending=(), state=state)
        attempts = list_invocations(run_id, session=session)
        newest = newest_approvals(run_id, session=session).values()
    pending = [approval for approval in newest if approval.status is ApprovalStatus.PENDING]
    return Sight(run=run, attempts=attempts, pending=pending, state=state)


def follow(run_id: UUID, *, quiet: bool = False) -> Sight:
    """Show the run until it is settled; return how it stands then."""
    sight = look(run_id)
    with Live(console=console(), refresh_per_second=4, screen=False, transient=True) as live:
        while not sight.settled:
            if not quiet:
                live.update(progress_table(sight))
            time.sleep(_EVERY_SECONDS)
            sight = look(run_id)
    if not quiet:
        console().print(progress_table(sight))
        _print_end(sight)
    return sight


def ended_well(sight: Sight) -> bool:
    """Say whether the run is completed, or waits for a person as it should."""
    return sight.run is not None and sight.run.status in {RunStatus.COMPLETED, RunStatus.PAUSED}


def progress_table(sight: Sight) -> Table:
    """Return one line for each step of the plan, with its newest attempt."""
    if sight.run is None:
        name = sight.state.name if sight.state else "unknown"
        return table_of([{"step": "(the run begins)", "status": (name or "").lower()}], columns=COLUMNS)
    newest = {row.step_id: row for row in sight.attempts}
    waiting = {approval.step_id for approval in sight.pending}
    rows = [
        {
            "step": step.id,
            "agent": step.agent.name,
            "engine": step.engine.value,
            "status": "waits for a person" if step.id in waiting else "",
            **(attempt_row(newest[step.id]) if step.id in newest else {}),
        }
        for step in sight.run.plan.steps
    ]
    return table_of(rows, columns=COLUMNS)


def _print_end(sight: Sight) -> None:
    if sight.run is None:
        message = sight.state.message if sight.state else "Prefect does not know it"
        console().print(f"The run did not begin: {message}", markup=False)
        return
    console().print(f"Run {sight.run.id}: {sight.run.status.value}", markup=False)
    for approval in sight.pending:
        asked = f"{approval.step_id} waits for a person: maos approvals show {str(approval.id)[:8]}"
        console().print(asked, markup=False, highlight=False)
