"""A run that wakes up under other code or rules: where that matters to it, a person decides how it goes on."""

from flows.approvals import wait_for_decisions
from maos.approvals import Approval
from maos.frontier import Move
from maos.runs import Run
from maos.statuses import ApprovalStatus, RunStatus
from tasks.drifts import ask_about, carry_out, decision_on
from tasks.ledger import reread, survey
from tasks.pinning import drift_of, pin


def settle_drift(run: Run) -> tuple[Run, Move | None]:
    """Return the run as it goes on, or the move that ends it because a person said so, or nobody said anything."""
    while True:
        run, ledger = survey(run)
        drift = drift_of(run, ledger.finished.keys())
        if drift is None:
            pin(run)
            return reread(run.id, run.org_id, run.epoch), None
        decision = decision_on(drift, run, ledger)
        if decision is None:
            ask_about(drift, run, ledger)
        elif decision.status is ApprovalStatus.PENDING:
            run = wait_for_decisions(run, (decision,))
        elif decision.status is ApprovalStatus.APPROVED:
            carry_out(drift, run, ledger, decision)
        else:
            return run, Move(end=RunStatus.CANCELLED, reason=f"{_CAUSE}: {_refusal(decision)}")


_CAUSE = "the run woke up under other code or rules"


def _refusal(decision: Approval) -> str:
    if decision.status is ApprovalStatus.REJECTED:
        return f"{decision.decided_by} cancelled it: {decision.note}"
    return "nobody decided in time how it goes on"
