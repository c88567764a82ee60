"""The audit row of an executed action: whoever ends an attempt writes it here."""

from sqlmodel import Session

from maos.audit import AuditEvent
from maos.bound_facts import ATTEMPT, bound_digest
from maos.failures import FailureKind
from maos.risk import RiskLevel
from sql import audit, exemptions
from sql.plain_rows import attempt_facts
from sql.tables import AgentInvocation


def audit_attempt(
    row: AgentInvocation, event: str, *, risk: RiskLevel | None, error: FailureKind | None = None, session: Session
) -> None:
    """Write how an attempt ended, with what it was judged by; its row must not change any more.

    Args:
        risk: None where its action is gone.
        error: why it failed; an effect in doubt has a reason too.
    """
    exemption = exemptions.answered_by(row.approval_id, session=session) if row.approval_id else None
    said = (row.error_summary if error else row.output_summary) or ""
    entry = AuditEvent(
        event=event,
        actor=row.agent_name,
        run_id=row.run_id,
        step_id=row.step_id,
        action=row.action,
        risk=risk,
        was_automatic=row.approval_id is None or exemption is not None,
        approval_id=row.approval_id,
        digest=row.digest,
        success=error is None,
        summary=f"{said} (asked nobody: {exemption})" if exemption else said,
        rules_version=row.rules_version,
        policy_version=row.policy_version,
        error=error,
        result_digest=bound_digest(attempt_facts(row), ATTEMPT),
    )
    audit.append_audit(entry, org_id=row.org_id, session=session)
