"""Money set aside before a call and settled after it; entries are append-only."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import case, func, or_
from sqlmodel import Session, and_, col, select

from maos.corrections import PastCall
from maos.errors import BudgetExceeded
from sql.tables import AgentInvocation, Budget, UsageEntry


def add_run_cap(run_id: UUID, limit: Decimal, *, org_id: UUID, session: Session) -> None:
    """Limit what one run may cost."""
    session.add(Budget(org_id=org_id, scope="run", scope_id=str(run_id), period="total", limit_usd=limit))


def reserve(invocation: AgentInvocation, *, session: Session) -> None:
    """Set the invocation's ceiling aside in every budget it falls under.

    Raises:
        BudgetExceeded: when one of them has less left; the caller's transaction must end without a commit.
    """
    amount = invocation.token_cost_estimate
    if not amount:
        return
    for budget in _locked_budgets(run_id=invocation.run_id, org_id=invocation.org_id, session=session):
        left = budget.limit_usd - budget.reserved_usd - budget.spent_usd
        if amount > left:
            raise BudgetExceeded(invocation.step_id, budget.scope, f"{amount:f}", f"{left:f}")
        budget.reserved_usd += amount
    _add_entry("reserve", amount, invocation, session=session)


def settle(invocation: AgentInvocation, *, session: Session) -> None:
    """Turn the reservation of an invocation into what it really cost."""
    reserved = invocation.token_cost_estimate
    if not reserved:
        return
    for budget in _locked_budgets(run_id=invocation.run_id, org_id=invocation.org_id, session=session):
        budget.reserved_usd -= reserved
        budget.spent_usd += invocation.cost_usd
    kind = "settle" if invocation.cost_usd else "release"
    _add_entry(kind, invocation.cost_usd or reserved, invocation, session=session)


def correct(call: PastCall, amount: Decimal, price_list: str, *, session: Session) -> None:
    """Add the next correcting entry of an invocation, which may be negative; what was written before stays."""
    for budget in _locked_budgets(run_id=call.run_id, org_id=call.org_id, session=session):
        # A budget may be younger than the call, whose cost it then never counted.
        budget.spent_usd = max(Decimal(0), budget.spent_usd + amount)
    last = select(func.coalesce(func.max(UsageEntry.number), 0)).where(
        UsageEntry.invocation_id == call.invocation_id, UsageEntry.kind == "correct"
    )
    session.add(
        UsageEntry(
            org_id=call.org_id,
            run_id=call.run_id,
            invocation_id=call.invocation_id,
            kind="correct",
            number=session.exec(last).one() + 1,
            amount_usd=amount,
            price_list=price_list,
        )
    )


def cost_of_run(run_id: UUID, *, session: Session) -> Decimal:
    """Return what a run has cost so far, in USD."""
    counts = col(UsageEntry.kind).in_(("settle", "correct"))
    total = func.coalesce(func.sum(case((counts, UsageEntry.amount_usd), else_=0)), 0)
    return Decimal(session.exec(select(total).where(UsageEntry.run_id == run_id)).one())


def _locked_budgets(*, run_id: UUID, org_id: UUID, session: Session) -> Sequence[Budget]:
    falls_under = or_(
        and_(col(Budget.scope) == "run", Budget.scope_id == str(run_id)),
        and_(col(Budget.scope) == "org", Budget.scope_id == str(org_id)),
    )
    # Always in one order: two callers who lock the same rows must not wait for each other in a circle.
    statement = select(Budget).where(falls_under).order_by(col(Budget.id)).with_for_update()
    return session.exec(statement.execution_options(populate_existing=True)).all()


def _add_entry(kind: str, amount: Decimal, invocation: AgentInvocation, *, session: Session) -> None:
    session.add(
        UsageEntry(
            org_id=invocation.org_id,
            run_id=invocation.run_id,
            invocation_id=invocation.id,
            kind=kind,
            amount_usd=amount,
        )
    )
