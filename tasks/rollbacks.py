"""Marking what was approved as wrong: a row of its own, which ends what was learned of such actions."""

from uuid import UUID

from maos.approval_events import approval_event
from maos.approvals import Approval, ApprovalKind
from maos.audit import AuditEvent
from maos.errors import BadInput
from sql import approvals, audit, learning
from sql.session import org_session, system_session
from tasks.exemptions import check_role, withdraw_for
from tasks.secrecy import for_clients

_MAY_MARK = frozenset({"owner", "operator", "reviewer"})


def roll_back(approval_id: UUID, *, person: str, note: str) -> list[str]:
    """Mark an approved action as one that should not have been; return the exemptions that end with it.

    Raises:
        BadInput: when the person may not, or no such action was approved and begun, or it is marked already.
    """
    with system_session() as session:
        approval = approvals.find_approval(approval_id, session=session)
    if approval is None or approval.kind is not ApprovalKind.ACTION or approval.consumed_at is None:
        raise BadInput("approval", str(approval_id), "one of an action that was approved and carried out")
    why = for_clients(note, limit=None)
    with org_session(approval.org_id) as session:
        check_role(person, _MAY_MARK, org_id=approval.org_id, session=session)
        if learning.find_rollback(approval_id, session=session):
            raise BadInput("approval", str(approval_id), "one that is not marked yet")
        learning.add_rollback(approval_id, org_id=approval.org_id, marked_by=person, note=why, session=session)
        ended = withdraw_for(approval_id, f"an action like it was wrong, says {person}: {why}", session=session)
        for event in (_rolled_back(approval, person, why), *ended):
            audit.append_audit(event, org_id=approval.org_id, session=session)
    return [event.summary for event in ended]


def _rolled_back(approval: Approval, person: str, why: str) -> AuditEvent:
    words = f"marked as wrong by {person}: {why}"
    return approval_event(approval, "rolled_back", actor=person, was_automatic=False, success=False, summary=words)
