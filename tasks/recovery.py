"""A run whose process ended without an end of the run: it goes on from its ledger, so many times."""

from datetime import timedelta
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

from maos.audit import AuditEvent
from maos.runs import Run
from maos.settings import load_settings
from maos.statuses import RunStatus
from sql import audit, leases, runs
from sql.session import org_session, system_session
from tasks.abandonment import abandon_running, audit_abandoned
from tasks.flow_runs import schedule_again, set_end
from tasks.ledger import find_run
from tasks.outages import outlasting
from tasks.runs import end_run


def recover(flow_run: FlowRun, reason: str) -> str | None:
    """Have a worker take the run up again, or close it when that was tried often enough; return what was done.

    Args:
        reason: why its process ended, for people.
    """
    run = find_run(flow_run.id)
    if run is None:
        return _begin_again(flow_run)
    if run.status.ended:
        return _tell_end(flow_run, run)
    at_most = load_settings().recovery_attempts
    if flow_run.deployment_id is None:
        end_run(run, RunStatus.FAILED, f"{reason}; without a deployment nothing takes it up again")
        return "closed as failed"
    count = _count(run, at_most, reason)
    if count is None:
        end_run(run, RunStatus.FAILED, f"{reason}, after {at_most} recoveries; retry it to go on from what is finished")
        return f"closed as failed after {at_most} recoveries"
    schedule_again(run.id)
    return f"taken up again ({count} of {at_most})"


def _begin_again(flow_run: FlowRun) -> str | None:
    """Start a run anew that died before it was opened: nothing was written or spent."""
    if flow_run.deployment_id is None or flow_run.run_count > load_settings().recovery_attempts:
        return None
    schedule_again(flow_run.id)
    return "begun again"


def _tell_end(flow_run: FlowRun, run: Run) -> str | None:
    """Tell Prefect the end of a run that died between writing it and reporting it."""
    if flow_run.state is None or not flow_run.state.is_crashed():
        return None
    set_end(run.id, run.status, "as the ledger says")
    return "Prefect was told its end"


@outlasting
def _count(run: Run, at_most: int, reason: str) -> int | None:
    with org_session(run.org_id) as session:
        count = runs.count_recovery(run.id, at_most=at_most, session=session)
        if count is not None:
            summary = f"{reason}; recovery {count} of {at_most}"
            event = AuditEvent(event="run.recovered", actor="maos", run_id=run.id, success=False, summary=summary)
            audit.append_audit(event, org_id=run.org_id, session=session)
    return count


def settle_what_died() -> list[str]:
    """End what dead processes left running, so that budgets have back what it held; return a sentence for each run.

    Whoever takes a run up does the same. But that may be long: until a worker is there that has room.
    """
    with system_session() as session:
        run_ids = leases.left_running(session=session)
    counts = [(run_id, _settle(run_id)) for run_id in run_ids]
    return [
        f"run {run_id}: {count} attempts ended that a dead process left running" for run_id, count in counts if count
    ]


@outlasting
def _settle(run_id: UUID) -> int:
    run = find_run(run_id)
    if run is None:
        return 0
    with org_session(run.org_id) as session:
        # For no time: the run is free again at once, but a process that only seemed dead can write nothing any more.
        if leases.take_lease(run.id, timedelta(0), session=session) is None:
            return 0
        abandoned = abandon_running(run, session=session)
        audit_abandoned(abandoned, session=session)
    return len(abandoned.attempts)
