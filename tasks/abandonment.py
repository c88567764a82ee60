"""Ending the attempts that a dead process left running."""

from sqlmodel import Session

from maos.audit import AuditEvent
from maos.errors import FailureKind
from maos.runs import Run
from maos.statuses import InvocationStatus
from sql import audit, budgets, invocations
from sql.tables import AgentInvocation, utc_now
from tasks import effects
from tasks.exemptions import withdraw_for

_SUMMARY = "the process that ran it ended"
_LIKE = "an action like it was left in doubt"


def abandon_running(run: Run, *, session: Session) -> None:
    """End the attempts that nobody carries out any more; a call that was under way counts at its ceiling.

    One whose effect may have happened is in doubt, and a person decides what to do.
    """
    running = invocations.running_invocations(run.id, session=session)
    abandoned = [(row, effects.note_abandoned(run, row.step_id, session=session)) for row in running]
    doubtful = [row.approval_id for row, in_doubt in abandoned if in_doubt and row.approval_id]
    # Before budgets are locked, as whoever uses an exemption does.
    withdrawn = [event for each in doubtful for event in withdraw_for(each, _LIKE, session=session)]
    for row, in_doubt in abandoned:
        row.status = InvocationStatus.IN_DOUBT if in_doubt else InvocationStatus.FAILED
        row.error_kind = None if in_doubt else FailureKind.PROCESS_DIED.value
        row.error_summary = _SUMMARY
        row.completed_at = utc_now()
        row.cost_usd = row.token_cost_estimate
        session.add(row)
        budgets.settle(row, session=session)
        session.flush()
        if in_doubt:
            audit.append_audit(_doubt(row), org_id=run.org_id, session=session)
    for event in withdrawn:
        audit.append_audit(event, org_id=run.org_id, session=session)


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
