"""Steps that did not fit into a budget: they wait for their neighbours, then for a person, and go on."""

from collections.abc import Collection

from maos.errors import BudgetExceeded
from maos.runs import Ledger, Run
from maos.statuses import ApprovalStatus
from maos.top_ups import OUT_OF_BUDGET
from tasks.notice_delivery import announce
from tasks.top_ups import ask_for_top_up, carry_out


class OutOfBudget:
    """Which steps did not fit, as far as this process has tried; another one finds out by trying."""

    def __init__(self) -> None:
        self._crowded: set[str] = set()
        self._asked: set[str] = set()

    def note(self, run: Run, step_id: str, error: BudgetExceeded, *, busy: Collection[str]) -> bool:
        """Keep a step that did not fit for later; return False where it has failed for good."""
        if busy:
            # What its neighbours do not need of their ceilings may be enough for it.
            self._crowded.add(step_id)
            return True
        self._asked.add(step_id)
        if not ask_for_top_up(run, error):
            return False
        announce(run)
        return True

    def steps(self, run: Run, ledger: Ledger, *, busy: Collection[str]) -> frozenset[str]:
        """Return the steps that are not to be tried now; a budget that somebody has topped up is raised first."""
        decision = ledger.approvals.get(OUT_OF_BUDGET)
        if decision and decision.status is ApprovalStatus.APPROVED and not decision.consumed_at:
            carry_out(run, decision)
        if decision is None or decision.status is not ApprovalStatus.PENDING:
            self._asked.clear()
        if not busy:
            self._crowded.clear()
        return frozenset(self._crowded | self._asked)
