"""Approvals that wait although their run has ended: nobody could execute them, and nobody is to be asked."""

from uuid import UUID

from maos.approval_events import approval_event
from sql import approvals, audit, overdue
from sql.session import org_session, system_session
from tasks.outages import outlasting

_REASON = "the run has ended"


def withdraw_orphans() -> list[str]:
    """Withdraw every pending approval of a run that has its end; return a sentence for each such run."""
    with system_session() as session:
        found = overdue.runs_with_orphans(session=session)
    counts = [(run_id, _withdraw(run_id, org_id)) for run_id, org_id in found]
    return [f"run {run_id}: {count} approvals withdrawn, {_REASON}" for run_id, count in counts if count]


@outlasting
def _withdraw(run_id: UUID, org_id: UUID) -> int:
    with org_session(org_id) as session:
        orphans = overdue.lock_orphans(run_id, session=session)
        if not orphans:
            return 0
        approvals.cancel_pending(run_id, _REASON, session=session)
        for orphan in orphans:
            words = f"withdrawn: {_REASON}"
            event = approval_event(orphan, "cancelled", actor="maos", success=False, summary=words)
            audit.append_audit(event, org_id=org_id, session=session)
    return len(orphans)
