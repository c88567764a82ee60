"""What becomes of an approval that nobody has decided in time, in the transaction that has it locked."""

from sqlmodel import Session

from maos.approval_policy import ExpiryOutcome
from maos.approvals import Approval
from maos.audit import AuditEvent
from sql import approvals, audit


def expire(due: Approval, *, session: Session) -> bool:
    """End a due approval, or let those decide it, too, to whom it is escalated; return whether it has its end."""
    escalates = due.policy.on_expiry is ExpiryOutcome.ESCALATE and not due.escalated
    if escalates:
        expires_at = approvals.database_time(session=session) + due.policy.life_of(due.risk)
        approvals.escalate(due, expires_at=expires_at, session=session)
    else:
        approvals.expire(due, session=session)
    audit.append_audit(_event(due, escalates=escalates), org_id=due.org_id, session=session)
    return not escalates


def _event(due: Approval, *, escalates: bool) -> AuditEvent:
    words = f"nobody decided before {due.expires_at:%Y-%m-%d %H:%M} UTC"
    return AuditEvent(
        event="approval.escalated" if escalates else "approval.expired",
        actor="maos",
        run_id=due.run_id,
        step_id=due.step_id,
        action=due.action,
        risk=due.risk,
        approval_id=due.id,
        digest=due.digest,
        success=False,
        summary=words,
    )
