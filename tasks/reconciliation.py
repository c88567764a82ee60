"""Bringing the ledger and Prefect into agreement, whatever died in between."""

from datetime import UTC, datetime
from typing import Any

from prefect.client.schemas.objects import State

from maos.reconciliation import GRACE_SECONDS, FlowState, Mending, Sighting, mending_of
from maos.runs import Run
from maos.statuses import ApprovalStatus, RunStatus
from sql.approvals import newest_approvals
from sql.runs import open_runs
from sql.session import org_session, system_session
from tasks.flow_runs import states_of, wake
from tasks.runs import end_run

_UNDER_WAY = {"SCHEDULED", "PENDING", "RUNNING", "CANCELLING"}


def reconcile() -> list[str]:
    """Mend every run whose row and state do not agree; return a sentence for each, none when all agree."""
    with system_session() as session:
        runs = open_runs(session=session)
    states = states_of([run.id for run in runs])
    return [said for run in runs if (said := _mend(run, states.get(run.id), GRACE_SECONDS))]


def reconcile_run(run: Run) -> None:
    """Mend one run at once, because somebody is about to decide on it."""
    _mend(run, states_of([run.id]).get(run.id), 0)


def _mend(run: Run, state: State[Any] | None, grace_seconds: float) -> str | None:
    mending = mending_of(_sighting(run, state), grace_seconds=grace_seconds)
    if mending is None or not _carry_out(mending, run, state):
        return None
    return f"run {run.id} of {run.org} ({run.status.value}; Prefect: {state.name if state else 'unknown'}): {mending}"


def _sighting(run: Run, state: State[Any] | None) -> Sighting:
    now = datetime.now(UTC)
    with org_session(run.org_id) as session:
        asked = newest_approvals(run.id, session=session).values()
    undecided = [each for each in asked if each.status is ApprovalStatus.PENDING and each.expires_at > now]
    since = state.timestamp if state else run.started_at
    return Sighting(
        state=_flow_state(state),
        seconds_in_state=(now - since).total_seconds(),
        open_approvals=len(undecided),
    )


def _flow_state(state: State[Any] | None) -> FlowState:
    if state is None:
        return FlowState.UNKNOWN
    return FlowState.UNDER_WAY if state.type.value in _UNDER_WAY else FlowState(state.type.value)


def _carry_out(mending: Mending, run: Run, state: State[Any] | None) -> bool:
    if mending is Mending.WAKE:
        return wake(run.id, "maos")
    status = RunStatus.CANCELLED if mending is Mending.CLOSE_AS_CANCELLED else RunStatus.FAILED
    end_run(
        run, status, f"the flow run ended without its ledger: {state.name if state else 'Prefect does not know it'}"
    )
    return True
