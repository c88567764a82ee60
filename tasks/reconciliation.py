"""Bringing the ledger and Prefect into agreement, whatever died in between."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

from maos.reconciliation import (
    CANCELLED_IN_PREFECT,
    GRACE_SECONDS,
    START_SECONDS,
    FlowState,
    Mending,
    Sighting,
    mending_of,
)
from maos.runs import Run
from maos.statuses import ApprovalStatus, RunStatus
from sql.approvals import newest_approvals
from sql.leases import unleased
from sql.runs import find_run, open_runs
from sql.session import only_one, org_session, system_session
from tasks.budget_notices import note_thresholds
from tasks.budget_room import go_on_with_what_fits
from tasks.flow_runs import flow_runs_of, flow_runs_without_end, set_end, wake
from tasks.orphans import withdraw_orphans
from tasks.recovery import recover, settle_what_died
from tasks.runs import end_run

# Any constant will do: it keeps two reconciliations apart.
_RECONCILING = 0x7265636F


def reconcile() -> list[str]:
    """Mend every run whose row and state do not agree, and give the notices of budgets that are due; say what was done.

    One process does so at a time. Prefect's own limits are no help: a killed process keeps its place in them.
    """
    with system_session() as session:
        return [*_mend_what_is_open(), *note_thresholds()] if only_one(_RECONCILING, session=session) else []


def _mend_what_is_open() -> list[str]:
    with system_session() as session:
        runs = open_runs(session=session)
    said = [*settle_what_died(), *withdraw_orphans(), *go_on_with_what_fits()]
    said += _mend_all(runs, flow_runs_of([run.id for run in runs]), GRACE_SECONDS)
    return said + _mend_flow_runs({run.id for run in runs})


def reconcile_run(run: Run) -> None:
    """Mend one run at once, because somebody is about to decide on it."""
    _mend_all([run], flow_runs_of([run.id]), 0)


def _mend_flow_runs(known: set[UUID]) -> list[str]:
    """Mend what only Prefect takes for going on: its row has an end, or it has none."""
    said = []
    flow_runs = {each.id: each for each in flow_runs_without_end(older_than=timedelta(seconds=GRACE_SECONDS))}
    ended = [run for flow_run in flow_runs.values() if flow_run.id not in known and (run := _find(flow_run.id))]
    said += _mend_all(ended, flow_runs, GRACE_SECONDS)
    for flow_run in flow_runs.values():
        if flow_run.id not in known and flow_run.id not in {run.id for run in ended}:
            said += _mend_unopened(flow_run)
    return said


def _find(run_id: UUID) -> Run | None:
    with system_session() as session:
        return find_run(run_id, session=session)


def _mend_unopened(flow_run: FlowRun) -> list[str]:
    """Start a run again that died before it was opened, if it is not just being planned."""
    if flow_run.state is None or _age(flow_run) < START_SECONDS:
        return []
    done = recover(flow_run, "the process of the run died")
    if done is None:
        done = "closed: it died too often before it was opened"
        set_end(flow_run.id, RunStatus.FAILED, done)
    return [f"run {flow_run.id} (not opened; Prefect: {flow_run.state.name}): {done}"]


def _mend_all(runs: Sequence[Run], flow_runs: dict[UUID, FlowRun], grace_seconds: float) -> list[str]:
    with system_session() as session:
        free = unleased([run.id for run in runs], session=session)
    sentences = (_mend(run, flow_runs.get(run.id), run.id not in free, grace_seconds) for run in runs)
    return [said for said in sentences if said]


def _mend(run: Run, flow_run: FlowRun | None, leased: bool, grace_seconds: float) -> str | None:
    mending = mending_of(_sighting(run, flow_run, leased), grace_seconds=grace_seconds)
    done = _carry_out(mending, run, flow_run) if mending else None
    if done is None:
        return None
    state = flow_run.state.name if flow_run and flow_run.state else "unknown"
    return f"run {run.id} of {run.org} ({run.status.value}; Prefect: {state}): {done}"


def _sighting(run: Run, flow_run: FlowRun | None, leased: bool) -> Sighting:
    now = datetime.now(UTC)
    with org_session(run.org_id) as session:
        asked = newest_approvals(run.id, session=session).values()
    undecided = [each for each in asked if each.status is ApprovalStatus.PENDING and each.expires_at > now]
    state = flow_run.state if flow_run else None
    return Sighting(
        state=FlowState(state.type.value) if state else FlowState.UNKNOWN,
        seconds_in_state=_age(flow_run) if flow_run and state else (now - run.started_at).total_seconds(),
        open_approvals=len(undecided),
        gate_kind=run.gate_kind,
        held=run.held_by is not None,
        leased=leased,
        ended=run.status.ended,
    )


def _age(flow_run: FlowRun) -> float:
    return (datetime.now(UTC) - flow_run.state.timestamp).total_seconds() if flow_run.state else 0.0


def _carry_out(mending: Mending, run: Run, flow_run: FlowRun | None) -> str | None:
    """Mend the run; return what was done, or None when it was not possible, and is tried again."""
    name = flow_run.state.name if flow_run and flow_run.state else "Prefect does not know it"
    if mending is Mending.WAKE:
        return mending.value if wake(run.id, "maos") else None
    if mending is Mending.RECOVER and flow_run:
        return recover(flow_run, f"the process of the run is gone ({name})")
    if mending is Mending.TELL_PREFECT:
        set_end(run.id, run.status, "as the ledger says")
        return mending.value
    cancelled = mending is Mending.CLOSE_AS_CANCELLED
    status = RunStatus.CANCELLED if cancelled else RunStatus.FAILED
    end_run(run, status, CANCELLED_IN_PREFECT if cancelled else f"the flow run ended without its ledger: {name}")
    if flow_run and flow_run.state and not flow_run.state.is_final():
        set_end(run.id, status, "its process is gone")
    return mending.value
