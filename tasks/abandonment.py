"""Ending the attempts that a dead process left running."""

from sqlmodel import Session

from maos.audit import AuditEvent
from maos.errors import FailureKind
from maos.runs import Run
from maos.statuses import InvocationStatus
from sql import audit, budgets, invocations
from sql.tables import AgentInvocation, utc_now
from tasks import effects

_SUMMARY = "the process that ran it ended"


def abandon_running(run: Run, *, session: Session) -> None:
    """End the attempts that nobody carries out any more; a call that was under way counts at its ceiling.

    One whose effect may have happened is in doubt, and a person decides what to do.
    """
    doubts = []
    for row in invocations.running_invocations(run.id, session=session):
        in_doubt = effects.note_abandoned(run, row.step_id, session=session)
        row.status = InvocationStatus.IN_DOUBT if in_doubt else InvocationStatus.FAILED
        row.error_kind = None if in_doubt else FailureKind.PROCESS_DIED.value
        row.error_summary = _SUMMARY
        row.completed_at = utc_now()
        row.cost_usd = row.token_cost_estimate
        session.add(row)
        budgets.settle(row, at_ceiling=True, session=session)
        session.flush()
        doubts += [_doubt(row)] if in_doubt else []
    # Last: whoever locks budgets and the audit log must do so in one order.
    for doubt in doubts:
        audit.append_audit(doubt, org_id=run.org_id, session=session)


def _doubt(row: AgentInvocation) -> AuditEvent:
    return AuditEvent(
        event="step.in_doubt",
        actor=row.agent_name,
        run_id=row.run_id,
        step_id=row.step_id,
        action=row.action,
        approval_id=row.approval_id,
        success=False,
        summary=_SUMMARY,
    )
