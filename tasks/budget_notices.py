"""Notices that a budget comes to its end: one for each threshold in each period."""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from maos.audit import AuditEvent
from maos.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit, passed_thresholds
from sql import audit, budget_limits
from sql.budget_standings import find_standing
from sql.budget_tables import Budget
from sql.budgets import counter_of
from sql.session import org_session, system_session

_LOG = logging.getLogger(__name__)
# What is settled just before a period ends is told in the next one.
_LATE = timedelta(minutes=10)


@dataclass(frozen=True)
class BudgetNotice:
    """That a threshold of a budget was passed."""

    org_id: UUID
    budget_id: UUID
    percent: int
    words: str


def note_thresholds() -> list[str]:
    """Give the notices that are due, each once; return a sentence for each.

    Read from what is settled, apart from the calls: a call waits for no notice, and one that was missed is due still.
    """
    with system_session() as session:
        watched = budget_limits.watched_budgets(session=session)
    now = datetime.now(UTC)
    due = [
        notice
        for budget, zone in watched
        for start in sorted({counter_of(budget, at, ZoneInfo(zone)).period_start for at in (now - _LATE, now)})
        for notice in _due(budget, start)
    ]
    for notice in due:
        _give(notice)
    return [notice.words for notice in due]


def _due(budget: Budget, start: date) -> list[BudgetNotice]:
    with org_session(budget.org_id) as session:
        standing = find_standing(budget.id, start, session=session)
        if standing is None:
            return []
        passed = passed_thresholds(budget.thresholds, limit=standing.limit, spent=standing.spent)
        before = budget_limits.claim_notice(budget.id, start, max(passed), session=session) if passed else None
        if before is None:
            return []
        unit = BudgetUnit(budget.unit)
        key = BudgetKey(
            scope=BudgetScope(budget.scope), owner=budget.scope_id, unit=unit, period=BudgetPeriod(budget.period)
        )
        taken = f"{unit.in_words(standing.spent)} of {unit.in_words(standing.limit)} are spent"
        notices = [
            BudgetNotice(budget.org_id, budget.id, percent, f"{key.in_words}: {percent} % reached, {taken}")
            for percent in passed
            if percent > before
        ]
        for notice in notices:
            event = AuditEvent(event="budget.threshold", actor="maos", run_id=None, summary=notice.words)
            audit.append_audit(event, org_id=budget.org_id, session=session)
    return notices


def _give(notice: BudgetNotice) -> None:
    """Tell whoever is to hear of it: the one place from which notices of budgets leave."""
    _LOG.warning("budget of organisation %s: %s", notice.org_id, notice.words)
