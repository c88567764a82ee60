"""A run whose plan is approved at once: it is asked about before anything else happens."""

from flows.approvals import wait_for_decisions
from maos.approvals import WHOLE_PLAN
from maos.frontier import Move
from maos.runs import Run
from maos.statuses import ApprovalStatus, RunStatus
from tasks.ledger import survey
from tasks.plan_approvals import ask_about_plan, plan_is_asked


def settle_plan(run: Run) -> tuple[Run, Move | None]:
    """Return the run as it goes on, or the move that ends it because its plan was rejected or nobody said anything."""
    if not plan_is_asked(run):
        return run, None
    while True:
        run, ledger = survey(run)
        decision = ledger.approvals.get(WHOLE_PLAN)
        if decision is None:
            if not ask_about_plan(run, ledger):
                return run, None
        elif decision.status is ApprovalStatus.PENDING:
            run = wait_for_decisions(run, (decision,))
        elif decision.status in {ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED}:
            return run, Move(end=RunStatus.CANCELLED, reason=f"the plan was not approved: {decision.refusal_in_words}")
        else:
            return run, None
