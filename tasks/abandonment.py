"""Ending the attempts that a dead process left running."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session

from maos.errors import FailureKind
from maos.risk import RiskLevel
from maos.runs import Run
from maos.statuses import InvocationStatus
from sql import budgets, invocations
from sql.tables import AgentInvocation, utc_now
from tasks import effects
from tasks.audit import audit_attempt
from tasks.catalogue import actions

_SUMMARY = "the process that ran it ended"


def abandon_running(run: Run, *, session: Session) -> Sequence[AgentInvocation]:
    """End the attempts that nobody carries out any more, and return them; a call under way counts at its ceiling.

    One whose effect may have happened is in doubt, and a person decides what to do.
    """
    abandoned = invocations.running_invocations(run.id, session=session)
    for row in abandoned:
        in_doubt = effects.note_abandoned(run, row.step_id, session=session)
        row.status = InvocationStatus.IN_DOUBT if in_doubt else InvocationStatus.FAILED
        row.error_kind = None if in_doubt else FailureKind.PROCESS_DIED.value
        row.error_summary = _SUMMARY
        row.completed_at = utc_now()
        row.cost_usd = row.token_cost_estimate
        session.add(row)
        budgets.settle(row, session=session)
        session.flush()
    return abandoned


def audit_abandoned(abandoned: Iterable[AgentInvocation], *, session: Session) -> None:
    """Write the audit rows of abandoned attempts.

    Apart, because the chain's lock comes last: who waits for it may hold a budget or an approval.
    """
    for row in abandoned:
        event = "step.in_doubt" if row.status == InvocationStatus.IN_DOUBT else "step.failed"
        audit_attempt(row, event, risk=_risk_of(row), error=FailureKind.PROCESS_DIED, session=session)


def _risk_of(row: AgentInvocation) -> RiskLevel | None:
    # Actions of a release before may be gone.
    spec = actions().get(row.action)
    return spec.risk if spec else None
