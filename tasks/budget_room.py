"""Questions for more of a budget that need no answer any more: their calls fit by now, and their runs go on.

A withdrawal decides nothing: it raises no limit, and of it and of a decision the one that comes first stands.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlmodel import Session, col

from maos.approval_events import approval_event
from maos.approvals import Approval, DecisionPath
from maos.top_ups import budget_asked_about, that_fit
from sql import approvals, audit, budget_limits, top_ups
from sql.approval_tables import AgentPendingAction
from sql.budget_standings import find_standing
from sql.budgets import counter_of
from sql.session import org_session, system_session
from tasks.outages import outlasting
from tasks.secrecy import for_clients
from tasks.waking import wake_all

_SYSTEM = "maos"


def withdraw_what_fits(why: str, *, person: str, budget_id: UUID, org_id: UUID, session: Session) -> list[Approval]:
    """Withdraw the questions whose calls fit into a budget that a person has just changed, in that transaction."""
    asked = top_ups.lock_questions(budget_id, session=session)
    return _withdraw(asked, why, by=person, via=DecisionPath.COMMAND_LINE, org_id=org_id, session=session)


def go_on_with_what_fits() -> list[str]:
    """Have every run go on whose next call fits by now, whatever has made room for it; return a sentence for each.

    A limit that was raised while a run was still asking, what other calls have given back, the next day or month.
    """
    with system_session() as session:
        orgs = top_ups.organizations_that_ask(session=session)
    withdrawn = [each for org_id in orgs for each in _look_through(org_id)]
    run_ids = {each.run_id for each in withdrawn if each.run_id}
    if run_ids:
        wake_all(run_ids, _SYSTEM)
    return [f"run {run_id}: its next call fits into its budget again" for run_id in sorted(run_ids, key=str)]


@outlasting
def _look_through(org_id: UUID) -> list[Approval]:
    with org_session(org_id) as session:
        asked = top_ups.lock_questions(None, session=session)
        why = "there is room in the budget again"
        return _withdraw(asked, why, by=_SYSTEM, via="system", org_id=org_id, session=session)


def _withdraw(
    asked: Sequence[Approval], why: str, *, by: str, via: str, org_id: UUID, session: Session
) -> list[Approval]:
    room = _room({budget_asked_about(each) for each in asked}, org_id, session=session)
    fit = that_fit(asked, room)
    if not fit:
        return []
    words = for_clients(f"no longer needed: {why}")
    which = col(AgentPendingAction.id).in_([each.id for each in fit])
    approvals.withdraw(which, words, by=by, via=via, session=session)
    events = [approval_event(each, "cancelled", actor=by, was_automatic=by == _SYSTEM, summary=words) for each in fit]
    audit.append_all(events, org_id=org_id, session=session)
    return fit


def _room(budget_ids: Collection[UUID], org_id: UUID, *, session: Session) -> dict[UUID, Decimal]:
    """Return what is left of budgets in their present periods: a call that begins now belongs to these."""
    now, zone = datetime.now(UTC), budget_limits.zone_of(org_id, session=session)
    room = {}
    for budget in budget_limits.find_budgets(budget_ids, session=session):
        standing = find_standing(budget.id, counter_of(budget, now, zone).period_start, session=session)
        room[budget.id] = standing.left if standing else budget.limit_amount
    return room
