"""Notices that a budget comes to its end: one for each threshold in each period, to the people who can do something."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from maos.audit import AuditEvent
from maos.budgets import passed_thresholds
from sql import audit, budget_limits
from sql.budget_standings import Standing, find_standing
from sql.budget_tables import Budget
from sql.budgets import counter_of
from sql.session import org_session, system_session
from tasks.notices import tell_of_thresholds

_LOG = logging.getLogger(__name__)
# What is settled just before a period ends is told in the next one.
_LATE = timedelta(minutes=10)


@dataclass(frozen=True)
class BudgetNotice:
    """That a threshold of a budget was passed."""

    org_id: UUID
    percent: int
    words: str


def note_thresholds() -> list[str]:
    """Write down the notices that are due, each once; return a sentence for each.

    With that it was noticed, in one transaction: whoever dies has done all of it or nothing. What is written is sent
    with the notices of approvals.

    Read from what is settled, apart from the calls: a call waits for no notice, and one that was missed is due still.
    """
    now = datetime.now(UTC)
    with system_session() as session:
        standings = [
            (budget, standing)
            for budget, zone in budget_limits.watched_budgets(session=session)
            for start in sorted({counter_of(budget, at, ZoneInfo(zone)).period_start for at in (now - _LATE, now)})
            if (standing := find_standing(budget.id, start, session=session))
        ]
    due = [notice for budget, standing in standings for notice in _due(budget, standing)]
    for notice in due:
        _LOG.warning("budget of organisation %s: %s", notice.org_id, notice.words)
    return [notice.words for notice in due]


def _due(budget: Budget, standing: Standing) -> list[BudgetNotice]:
    passed = passed_thresholds(budget.thresholds, limit=standing.limit, spent=standing.spent)
    if not passed:
        return []
    with org_session(budget.org_id) as session:
        before = budget_limits.claim_notice(budget.id, standing.period_start, max(passed), session=session)
        if before is None:
            return []
        key = budget_limits.key_of(budget)
        taken = f"{key.unit.in_words(standing.spent)} of {key.unit.in_words(standing.limit)} are spent"
        notices = [
            BudgetNotice(budget.org_id, percent, f"{key.in_words}: {percent} % reached, {taken}")
            for percent in passed
            if percent > before
        ]
        tell_of_thresholds([notice.percent for notice in notices], standing, session=session)
        for notice in notices:
            event = AuditEvent(event="budget.threshold", actor="maos", run_id=None, summary=notice.words)
            audit.append_audit(event, org_id=budget.org_id, session=session)
    return notices
