"""Amounts set aside before a call and settled after it, in every budget it falls under; entries are append-only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, case, func, insert, or_
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, and_, col, select

from maos.budgets import EVER, Amounts, BudgetPeriod, BudgetScope, BudgetUnit, Hold, period_start
from maos.corrections import PastCall
from maos.errors import BudgetExceeded
from sql import budget_shares
from sql.budget_shares import Counter
from sql.budget_tables import Budget
from sql.pipelines import Order, Rows, Worded
from sql.tables import AgentInvocation, Organization, UsageEntry, utc_now
from sql.trips import send, send_later

_BUDGETS, _ORGANIZATIONS, _ENTRIES = (
    SQLModel.metadata.tables[str(each.__tablename__)] for each in (Budget, Organization, UsageEntry)
)
_ENTRY = ("id", "org_id", "run_id", "invocation_id", "kind", "number", "amount_usd", "holds", "recorded_at")
# Sent with every call.
_ADD_ENTRY = Worded(insert(_ENTRIES).values({name: bindparam(name) for name in _ENTRY}))
_HOLDS = Worded(
    select_columns(_ENTRIES.c.holds).where(
        _ENTRIES.c.invocation_id == bindparam("invocation_id"), _ENTRIES.c.kind == "reserve"
    )
)
_LIMITS = Worded(
    select_columns(_BUDGETS.c.id, _BUDGETS.c.scope, _BUDGETS.c.unit, _BUDGETS.c.period, _ORGANIZATIONS.c.timezone)
    .join(_ORGANIZATIONS, _ORGANIZATIONS.c.id == _BUDGETS.c.org_id)
    .where(
        _BUDGETS.c.org_id == bindparam("org_id"),
        or_(*(and_(_BUDGETS.c.scope == scope, _BUDGETS.c.scope_id == bindparam(scope.value)) for scope in BudgetScope)),
    )
    # Always in one order: two callers who lock the same rows must not wait for each other in a circle.
    .order_by(_BUDGETS.c.id)
)


class _Limit(NamedTuple):
    id: UUID
    scope: str
    unit: str
    period: str
    timezone: str


@dataclass(frozen=True)
class RunCaps:
    """What one run may take of each unit; what is left out is not limited."""

    usd: Decimal | None = None
    tokens: int | None = None
    calls: int | None = None


def add_run_caps(run_id: UUID, caps: RunCaps, *, org_id: UUID, session: Session) -> None:
    """Limit what one run may take."""
    for unit in BudgetUnit:
        if (limit := getattr(caps, unit.value)) is not None:
            row = Budget(
                org_id=org_id,
                scope=BudgetScope.RUN,
                scope_id=str(run_id),
                period=BudgetPeriod.TOTAL,
                unit=unit,
                limit_amount=Decimal(limit),
            )
            session.add(row)
            session.flush()
            # A run's own is there from the start: who looks at it sees its limit before anything was taken.
            budget_shares.lock(Counter(row.id, EVER, org_id), session=session)


def asking_for_limits(invocation: Mapping[str, object], team: str | None) -> Order:
    """Return what is to be asked of the budgets that a call falls under.

    Args:
        invocation: its `org_id`, `agent_name` and `run_id`.
        team: that of its run.
    """
    owners = {
        "org": str(invocation["org_id"]),
        "team": team,
        "agent": invocation["agent_name"],
        "run": str(invocation["run_id"]),
    }
    return _LIMITS.of(org_id=invocation["org_id"], **owners)


def reserve(invocation: AgentInvocation, *, team: str | None = None, ceiling_tokens: int = 0, session: Session) -> None:
    """Set the invocation's ceiling aside in every budget it falls under.

    Args:
        team: that of its run.
        ceiling_tokens: the most tokens that the call can take.

    Raises:
        BudgetExceeded: when one of them has less left; the caller's transaction must end without a commit.
    """
    if invocation.token_cost_estimate:
        (limits,) = send(asking_for_limits(vars(invocation), team), session=session)
        reserve_within(limits, invocation, ceiling_tokens=ceiling_tokens, session=session)


def reserve_within(
    limits: Rows, invocation: AgentInvocation, *, ceiling_tokens: int = 0, session: Session
) -> list[Hold]:
    """Set the invocation's ceiling aside in the budgets that were answered; return what is held.

    Raises:
        BudgetExceeded: as `reserve` does.
    """
    most = Amounts(usd=invocation.token_cost_estimate, tokens=ceiling_tokens, calls=1)
    scopes = {_hold(limit, most, invocation): limit.scope for limit in map(_Limit._make, limits)}
    holds = list(scopes)
    # First: what is changed stays locked until the commit.
    entry = _entry("reserve", invocation.token_cost_estimate, invocation, holds=holds)
    send_later(entry, session=session)
    if not holds:
        return holds
    changes = {_counter_of_hold(hold, invocation.org_id): budget_shares.taking(hold.amount) for hold in holds}
    (((changed,),),) = send(budget_shares.changing_each(changes), session=session)
    for hold in holds[changed:]:
        _take(hold, scopes[hold], invocation, session=session)
    return holds


def _hold(limit: _Limit, most: Amounts, invocation: AgentInvocation) -> Hold:
    unit = BudgetUnit(limit.unit)
    start = period_start(BudgetPeriod(limit.period), invocation.started_at, ZoneInfo(limit.timezone))
    return Hold(budget=str(limit.id), unit=unit, period=start, amount=most.of(unit))


def _take(hold: Hold, scope: str, invocation: AgentInvocation, *, session: Session) -> None:
    left = budget_shares.take(_counter_of_hold(hold, invocation.org_id), hold.amount, session=session)
    if left is not None:
        words = (hold.unit.in_words(hold.amount), hold.unit.in_words(left), hold.model_dump_json())
        raise BudgetExceeded(invocation.step_id, scope, *words)


def counter_of(budget: Budget, at: datetime, zone: ZoneInfo) -> Counter:
    """Return the period of a budget that a moment falls into."""
    return Counter(budget.id, period_start(BudgetPeriod(budget.period), at, zone), budget.org_id)


def settle(invocation: AgentInvocation, *, at_ceiling: bool = False, session: Session) -> None:
    """Turn the reservation of an invocation into what it really took.

    Args:
        at_ceiling: whether it counts with all that was set aside, because nobody knows what it took.
    """
    if not invocation.token_cost_estimate:
        return
    used = used_of(invocation.cost_usd, invocation.tokens)
    settlement = Settlement(invocation, used, _holds_of(invocation.id, session=session), at_ceiling=at_ceiling)
    settlement.conclude(send(*settlement.orders, session=session), session=session)


def used_of(cost_usd: Decimal, tokens: int) -> Amounts:
    """Return what a call took of each unit."""
    # A call at a price of nothing is one too.
    return Amounts(usd=cost_usd, tokens=tokens, calls=1 if cost_usd or tokens else 0)


class Settlement:
    """How the reservation of a call becomes what it took; `orders` are sent, and their answers concluded."""

    def __init__(
        self, invocation: AgentInvocation, used: Amounts, holds: Sequence[Hold], *, at_ceiling: bool = False
    ) -> None:
        self._took = {
            _counter_of_hold(hold, invocation.org_id): (hold.amount, hold.amount if at_ceiling else used.of(hold.unit))
            for hold in holds
        }
        # Of what could cost nothing, nothing was set aside.
        reserved = invocation.token_cost_estimate
        entry = _entry("settle" if used.usd else "release", used.usd or reserved, invocation)
        self._entries = (entry,) if reserved else ()

    @property
    def orders(self) -> tuple[Order, ...]:
        """What changes the budgets, if there are any."""
        changes = {
            counter: budget_shares.settling(reserved=held, used=took) for counter, (held, took) in self._took.items()
        }
        return (budget_shares.changing_each(changes),) if changes else ()

    def conclude(self, answers: Sequence[Rows], *, session: Session) -> None:
        """Change what could not be at once, and write the entry of what was set aside."""
        changed = answers[0][0][0] if answers else 0
        for counter, (held, took) in list(self._took.items())[changed:]:
            budget_shares.settle(counter, reserved=held, used=took, session=session)
        send_later(*self._entries, session=session)


def correct(call: PastCall, amount: Decimal, price_list: str, *, session: Session) -> None:
    """Add the next correcting entry of an invocation, which may be negative; what was written before stays."""
    # Only where it was counted: a budget may be younger than the call.
    for hold in _holds_of(call.invocation_id, session=session):
        if hold.unit is BudgetUnit.USD:
            budget_shares.spend(_counter_of_hold(hold, call.org_id), amount, session=session)
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


def _holds_of(invocation_id: UUID, *, session: Session) -> list[Hold]:
    """Return what an invocation has set aside, in the order in which it was."""
    (found,) = send(_HOLDS.of(invocation_id=invocation_id), session=session)
    return [Hold.model_validate(hold) for row in found for hold in row[0] or ()]


def _counter_of_hold(hold: Hold, org_id: UUID) -> Counter:
    return Counter(UUID(hold.budget), hold.period, org_id)


def _entry(kind: str, amount: Decimal, invocation: AgentInvocation, *, holds: Sequence[Hold] = ()) -> Order:
    return _ADD_ENTRY.of(
        id=uuid4(),
        org_id=invocation.org_id,
        run_id=invocation.run_id,
        invocation_id=invocation.id,
        kind=kind,
        number=1,
        amount_usd=amount,
        holds=Jsonb([hold.model_dump(mode="json") for hold in holds]) if holds else None,
        recorded_at=utc_now(),
    )
