"""What becomes of approvals that nobody has decided in time, in the transaction that has them locked."""

from collections.abc import Sequence

from sqlmodel import Session

from maos.approval_events import approval_event
from maos.approval_policy import ExpiryOutcome
from maos.approvals import Approval
from maos.audit import AuditEvent
from maos.notices import NoticeKind, reminder_at
from sql import approvals, audit
from tasks.notices import tell


def expire(due: Approval, *, session: Session) -> bool:
    """End a due approval, or let those decide it, too, to whom it is escalated; return whether it has its end."""
    return bool(expire_all([due], session=session))


def expire_all(due: Sequence[Approval], *, session: Session) -> list[Approval]:
    """Do so with due approvals of one organisation; return those that have their end."""
    if not due:
        return []
    ended = [each for each in due if not _escalates(each)]
    approvals.expire([each.id for each in ended], session=session)
    escalated = [_escalated(each, session=session) for each in due if _escalates(each)]
    tell(NoticeKind.EXPIRED, ended, session=session)
    tell(NoticeKind.ESCALATED, escalated, session=session)
    audit.append_all([_event(each) for each in due], org_id=due[0].org_id, session=session)
    return ended


def _escalates(due: Approval) -> bool:
    return due.policy.on_expiry is ExpiryOutcome.ESCALATE and not due.escalated


def _escalated(due: Approval, *, session: Session) -> Approval:
    expires_at = approvals.database_time(session=session) + due.policy.life_of(due.risk)
    escalated = due.model_copy(update={"escalated": True, "expires_at": expires_at})
    approvals.escalate(due, expires_at=expires_at, remind_at=reminder_at(escalated, sent=0), session=session)
    return escalated


def _event(due: Approval) -> AuditEvent:
    words = f"nobody decided before {due.expires_at:%Y-%m-%d %H:%M} UTC"
    event = "escalated" if _escalates(due) else "expired"
    return approval_event(due, event, actor="maos", success=False, summary=words)
