"""Ending the attempts that a dead process left running."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from maos.audit import AuditEvent
from maos.failures import FailureKind
from maos.risk import RiskLevel
from maos.runs import Run
from maos.statuses import InvocationStatus
from sql import audit, budgets, invocations
from sql.tables import AgentInvocation, utc_now
from tasks import effects
from tasks.audit import audit_attempt
from tasks.catalogue import actions
from tasks.exemptions import withdraw_for

_SUMMARY = "the process that ran it ended"
_LIKE = "an action like it was left in doubt"


@dataclass(frozen=True)
class Abandoned:
    """Attempts that were ended, and what else is to be audited of it."""

    run: Run
    attempts: Sequence[AgentInvocation]
    withdrawn: Sequence[AuditEvent]


def abandon_running(run: Run, *, session: Session) -> Abandoned:
    """End the attempts that nobody carries out any more, and return them; a call under way counts at its ceiling.

    One whose effect may have happened is in doubt, and a person decides what to do.
    """
    running = invocations.running_invocations(run.id, session=session)
    fates = [(row, effects.note_abandoned(run, row.step_id, session=session)) for row in running]
    doubtful = [row.approval_id for row, in_doubt in fates if in_doubt and row.approval_id]
    # Before budgets are locked, as whoever uses an exemption does.
    withdrawn = [event for each in doubtful for event in withdraw_for(each, _LIKE, session=session)]
    for row, in_doubt in fates:
        row.status = InvocationStatus.IN_DOUBT if in_doubt else InvocationStatus.FAILED
        row.error_kind = None if in_doubt else FailureKind.PROCESS_DIED.value
        row.error_summary = _SUMMARY
        row.completed_at = utc_now()
        row.cost_usd = row.token_cost_estimate
        session.add(row)
        budgets.settle(row, at_ceiling=True, session=session)
        session.flush()
    return Abandoned(run, running, withdrawn)


def audit_abandoned(abandoned: Abandoned, *, session: Session) -> None:
    """Write the audit rows of abandoned attempts.

    Apart, because the chain's lock comes last: who waits for it may hold a budget or an approval.
    """
    for row in abandoned.attempts:
        event = "step.in_doubt" if row.status == InvocationStatus.IN_DOUBT else "step.failed"
        audit_attempt(row, event, risk=_risk_of(row), error=FailureKind.PROCESS_DIED, session=session)
    for withdrawal in abandoned.withdrawn:
        audit.append_audit(withdrawal, org_id=abandoned.run.org_id, session=session)


def _risk_of(row: AgentInvocation) -> RiskLevel | None:
    # Actions of a release before may be gone.
    spec = actions().get(row.action)
    return spec.risk if spec else None
