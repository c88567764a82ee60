"""Setting, raising and reading budgets: what an owner of an organisation may do, each time with an audit row."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session

from maos.approvals import Approval
from maos.audit import act_of
from maos.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit, day_begins, period_end
from maos.errors import BadInput
from maos.roles import Permission
from sql import audit, budget_limits, budget_shares, runs
from sql.budget_standings import find_standing
from sql.budget_tables import Budget
from sql.budgets import counter_of
from sql.session import org_session, system_session
from tasks.budget_room import withdraw_what_fits
from tasks.people import check_permission
from tasks.policies import policy_book
from tasks.rules import rule_book

_NOTHING = Decimal(0)


class BudgetView(BaseModel):
    """A budget as it stands in its present period."""

    model_config = ConfigDict(frozen=True)

    key: BudgetKey
    thresholds: tuple[int, ...]
    begins: datetime | None
    ends: datetime | None
    limit: Decimal
    spent: Decimal
    reserved: Decimal
    left: Decimal


class ChangedBudget(BaseModel):
    """A budget after somebody has changed it, and the questions for more of it that this has answered."""

    model_config = ConfigDict(frozen=True)

    view: BudgetView
    answered: tuple[Approval, ...]


def set_budget(
    key: BudgetKey, limit: Decimal, thresholds: Sequence[int] | None, *, person: str, org_id: UUID
) -> ChangedBudget:
    """Set a limit, in the present period too; one below what is spent stops whatever comes next.

    Args:
        thresholds: percentages at which a notice is given; None leaves them as they are.

    Raises:
        BadInput: when the person may not, or the budget is none that can be set.
    """
    now = datetime.now(UTC)
    with org_session(org_id) as session:
        check_permission(person, Permission.SET_BUDGETS, org_id=org_id, session=session)
        _check_key(key, limit, org_id, session=session)
        row = budget_limits.find_budget(key, org_id=org_id, session=session)
        if row is None:
            row = budget_limits.add_budget(key, limit, thresholds or (), org_id=org_id, session=session)
        row.limit_amount = limit
        row.thresholds = list(row.thresholds if thresholds is None else thresholds)
        session.add(row)
        counter = counter_of(row, now, budget_limits.zone_of(org_id, session=session))
        if budget_shares.has_begun(counter, session=session):
            budget_shares.set_limit(counter, limit, session=session)
        view = _view(row, now, session=session)
        told = f", notices at {', '.join(f'{each} %' for each in view.thresholds)}" if view.thresholds else ""
        summary = f"{key.in_words}: {key.unit.in_words(limit)}{told}"
        audit.append_audit(act_of(person, "budget.set", summary), org_id=org_id, session=session)
        return _changed(row, view, summary, person=person, session=session)


def top_up(key: BudgetKey, amount: Decimal, *, person: str, org_id: UUID) -> ChangedBudget:
    """Raise a limit by an amount, in the present period alone.

    Raises:
        BadInput: when the person may not, or there is no such budget.
    """
    now = datetime.now(UTC)
    with org_session(org_id) as session:
        check_permission(person, Permission.SET_BUDGETS, org_id=org_id, session=session)
        row = budget_limits.find_budget(key, org_id=org_id, session=session)
        if row is None:
            raise BadInput("budget", key.in_words, "a budget that was set; see 'maos budgets show'")
        counter = counter_of(row, now, budget_limits.zone_of(org_id, session=session))
        limit = budget_shares.raise_limit(counter, amount, session=session)
        _check_key(key, limit, org_id, session=session)
        view = _view(row, now, session=session)
        summary = f"{key.in_words}: raised by {key.unit.in_words(amount)} to {key.unit.in_words(limit)}"
        audit.append_audit(act_of(person, "budget.topped_up", summary), org_id=org_id, session=session)
        return _changed(row, view, summary, person=person, session=session)


def _changed(row: Budget, view: BudgetView, summary: str, *, person: str, session: Session) -> ChangedBudget:
    fits = withdraw_what_fits(summary, person=person, budget_id=row.id, org_id=row.org_id, session=session)
    return ChangedBudget(view=view, answered=tuple(fits))


def set_zone(zone: ZoneInfo, *, person: str, org_id: UUID) -> None:
    """Set the time zone by whose calendar the days and months of an organisation's budgets begin.

    Raises:
        BadInput: when the person may not.
    """
    with system_session() as session:
        check_permission(person, Permission.SET_BUDGETS, org_id=org_id, session=session)
        budget_limits.set_zone(org_id, zone, session=session)
        event = act_of(person, "organization.timezone_set", f"days and months begin by {zone.key}")
        audit.append_audit(event, org_id=org_id, session=session)


def budgets_of(org_id: UUID, run_id: UUID | None = None) -> list[BudgetView]:
    """Return what an organisation has set, and the budgets of one run where one is named."""
    now = datetime.now(UTC)
    with org_session(org_id) as session:
        rows = budget_limits.list_budgets(org_id, run_id, session=session)
        return [_view(row, now, session=session) for row in rows]


def _view(row: Budget, now: datetime, *, session: Session) -> BudgetView:
    session.flush()
    zone = budget_limits.zone_of(row.org_id, session=session)
    start, key = counter_of(row, now, zone).period_start, budget_limits.key_of(row)
    standing = find_standing(row.id, start, session=session)
    return BudgetView(
        key=key,
        thresholds=tuple(row.thresholds),
        begins=None if key.period is BudgetPeriod.TOTAL else day_begins(start, zone),
        ends=period_end(key.period, start, zone),
        limit=standing.limit if standing else row.limit_amount,
        spent=standing.spent if standing else _NOTHING,
        reserved=standing.reserved if standing else _NOTHING,
        left=standing.left if standing else row.limit_amount,
    )


def _check_key(key: BudgetKey, limit: Decimal, org_id: UUID, *, session: Session) -> None:
    if key.scope is BudgetScope.TEAM:
        _check_team(key.owner, org_id)
    if key.scope is not BudgetScope.RUN:
        return
    if key.period is not BudgetPeriod.TOTAL:
        raise BadInput("period", key.period, f"{BudgetPeriod.TOTAL}: a run has one budget of a unit")
    if runs.find_run(UUID(key.owner), session=session) is None:
        raise BadInput("name", key.owner, "a run of the organisation")
    limits = rule_book(org_id).rules.limits
    most = {BudgetUnit.USD: limits.cost_usd, BudgetUnit.CALLS: limits.calls}.get(key.unit)
    if most is not None and limit > most:
        allowed = key.unit.in_words(Decimal(most))
        raise BadInput("amount", f"{limit:f}", f"at most {allowed} for a run, as the rules say")


def _check_team(name: str, org_id: UUID) -> None:
    # No run can be opened for any other.
    teams = policy_book(org_id).policy.teams
    if name not in teams:
        allowed = ", ".join(sorted(teams)) or "none: the organisation's policy names no teams"
        raise BadInput("name", name, allowed)
