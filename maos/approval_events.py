"""What is audited of an approval: the facts that each of its events has, with what happened to it."""

from maos.approvals import Approval
from maos.audit import AuditEvent


def approval_event(
    approval: Approval,
    event: str,
    *,
    actor: str,
    summary: str,
    was_automatic: bool = True,
    success: bool = True,
    policy_version: int | None = None,
) -> AuditEvent:
    """Return an event of an approval.

    Args:
        event: what happened, after `approval.`.
        policy_version: of the policy that it was judged by, where it was judged.
    """
    return AuditEvent(
        event=f"approval.{event}",
        actor=actor,
        run_id=approval.run_id,
        step_id=approval.step_id,
        action=approval.action,
        risk=approval.risk,
        was_automatic=was_automatic,
        approval_id=approval.id,
        digest=approval.digest,
        success=success,
        summary=summary,
        policy_version=policy_version,
    )
