"""Using an approval up: the step that begins is exactly the one that was approved."""

from sqlmodel import Session

from maos.approvals import Approval, ApprovalKind
from maos.errors import ApprovalInvalid
from maos.learning import BY_EXEMPTION
from maos.statuses import ApprovalStatus
from sql import approvals
from sql.attempts import Standing
from tasks.learning import still_exempt
from tasks.payloads import Payload


def consume_approval(payload: Payload, standing: Standing, *, session: Session) -> Approval | None:
    """Use up the approval that a step needs, in the transaction that begins it; None where it needs none.

    Args:
        standing: of the step, as this transaction has read it.

    Raises:
        ApprovalInvalid: when none covers exactly this payload.
    """
    in_doubt, approval = standing.in_doubt, standing.approval
    # What a person was asked about takes their approval, whatever has become of its risk.
    if not (payload.guarded or in_doubt or (approval and approval.kind is ApprovalKind.ACTION)):
        return None
    if approval is None or approval.status is not ApprovalStatus.APPROVED:
        raise ApprovalInvalid(payload.step.id, "nobody has approved it")
    if in_doubt and (approval.kind is not ApprovalKind.IN_DOUBT or approval.consumed_at):
        raise ApprovalInvalid(payload.step.id, "nobody has said what to do about an effect in doubt")
    if payload.risk.rank > approval.risk.rank:
        raise ApprovalInvalid(payload.step.id, f"it was approved as {approval.risk}, and is {payload.risk} by now")
    if approval.decided_via == BY_EXEMPTION and not still_exempt(payload, approval, session=session):
        raise ApprovalInvalid(payload.step.id, "the exemption that approved it covers it no longer")
    if not approvals.consume(approval.id, payload.digest, session=session):
        raise ApprovalInvalid(payload.step.id, "what was approved is not what would run now, or has expired")
    return approval
