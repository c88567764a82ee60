"""Reading a run and what is finished and decided of it: the truth the executor goes by."""

from uuid import UUID

from maos.approvals import Approval
from maos.audit import AuditEvent
from maos.runs import Ledger, Run
from sql import approvals, audit, invocations, runs
from sql.session import org_session, system_session


def find_run(run_id: UUID) -> Run | None:
    """Return a run that was opened before, or None."""
    with system_session() as session:
        return runs.find_run(run_id, session=session)


def reread(run_id: UUID, org_id: UUID) -> Run:
    """Return the run as it stands now."""
    with org_session(org_id) as session:
        run = runs.find_run(run_id, session=session)
    if run is None:
        raise LookupError(f"run {run_id} is not in the ledger of its organisation")
    return run


def read_ledger(run: Run) -> Ledger:
    """Return what is finished and decided of a run; approvals whose time has passed are expired first."""
    with org_session(run.org_id) as session:
        for expired in approvals.expire_due(run.id, session=session):
            audit.append_audit(_expiry(expired), org_id=run.org_id, session=session)
        return Ledger(
            finished=invocations.finished_steps(run.id, session=session),
            approvals=approvals.newest_approvals(run.id, session=session),
        )


def _expiry(approval: Approval) -> AuditEvent:
    return AuditEvent(
        event="approval.expired",
        actor="maos",
        run_id=approval.run_id,
        step_id=approval.step_id,
        action=approval.action,
        risk=approval.risk,
        approval_id=approval.id,
        digest=approval.digest,
        success=False,
        summary=f"nobody decided before {approval.expires_at:%Y-%m-%d %H:%M} UTC",
    )
