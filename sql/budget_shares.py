"""What is left in a period of a budget, in shares: concurrent callers take from different ones, and pass no limit.

What is left over all shares is the limit less what is reserved and spent. A call takes from one share that holds
enough, and waits for one when all of these are locked. Where none holds enough, all shares are locked and what they
hold is counted, so that a call is refused only when it does not fit into what is left of the whole. A period has one
share until two callers meet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, text
from sqlalchemy import select as columns
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, and_, col, select

from sql.budget_tables import Budget, BudgetPeriodRow, BudgetShare
from sql.pipelines import Order, Worded
from sql.trips import send

_SHARES = 32
# A period is divided only while each share holds so many calls of the present size: else most would be too small.
_CALLS_IN_A_SHARE = 4
_SMALLEST = Decimal("1e-8")

_AMOUNTS = ("left", "reserved", "spent")
# Sent with every call.
_CHANGE_EACH = Worded(
    text(
        "SELECT change_budget_shares(CAST(:budgets AS uuid[]), CAST(:periods AS date[]), "
        "CAST(:left AS numeric[]), CAST(:reserved AS numeric[]), CAST(:spent AS numeric[]))"
    )
)


@dataclass(frozen=True)
class Counter:
    """A period of a budget."""

    budget_id: UUID
    period_start: date
    org_id: UUID


@dataclass(frozen=True)
class Totals:
    """What all shares of a period come to."""

    left: Decimal
    reserved: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.left + other.left, self.reserved + other.reserved, self.spent + other.spent)


def taking(amount: Decimal) -> Totals:
    """Return the change of a period that sets an amount aside."""
    return Totals(left=-amount, reserved=amount)


def settling(*, reserved: Decimal, used: Decimal) -> Totals:
    """Return the change of a period that turns what was set aside into what was used."""
    return Totals(left=reserved - used, reserved=-reserved, spent=used)


def changing_each(changes: Mapping[Counter, Totals]) -> Order:
    """Return what changes a share of each period, up to the first that has none that holds enough, and says how many.

    The periods are in the order in which whoever waits for several waits for them.
    """
    amounts = {name: _array(getattr(change, name) for change in changes.values()) for name in _AMOUNTS}
    return _CHANGE_EACH.of(
        budgets=_array(counter.budget_id for counter in changes),
        periods=_array(counter.period_start for counter in changes),
        **amounts,
    )


def _array(values: Iterable[UUID | date | Decimal]) -> str:
    """Return values in which nothing needs quotes as PostgreSQL writes an array."""
    return f"{{{','.join(map(str, values))}}}"


def take(counter: Counter, amount: Decimal, *, session: Session) -> Decimal | None:
    """Set an amount aside; return None, or what is left where that is less."""
    if _change_one(counter, taking(amount), session=session):
        return None
    totals = lock(counter, session=session)
    if amount > totals.left:
        return totals.left
    _write(counter, totals + taking(amount), size=amount, session=session)
    return None


def settle(counter: Counter, *, reserved: Decimal, used: Decimal, session: Session) -> None:
    """Turn what was set aside into what was used."""
    change = settling(reserved=reserved, used=used)
    if _change_one(counter, change, session=session):
        return
    _write(counter, lock(counter, session=session) + change, size=reserved, session=session)


def spend(counter: Counter, amount: Decimal, *, session: Session) -> None:
    """Add what was found to have been spent, past the limit if need be; a negative amount is given back."""
    _write(counter, lock(counter, session=session) + Totals(left=-amount, spent=amount), session=session)


def set_limit(counter: Counter, limit: Decimal, *, session: Session) -> None:
    """Change the limit of a period; it may be less than what is spent, and then nothing fits any more."""
    totals = lock(counter, session=session)
    period = _period(counter, session=session)
    more = limit - period.limit_amount
    period.limit_amount = limit
    session.add(period)
    _write(counter, totals + Totals(left=more), session=session)


def raise_limit(counter: Counter, amount: Decimal, *, session: Session) -> Decimal:
    """Raise the limit of a period by an amount; return the new limit."""
    lock(counter, session=session)
    limit = _period(counter, session=session).limit_amount + amount
    set_limit(counter, limit, session=session)
    return limit


def has_begun(counter: Counter, *, session: Session) -> bool:
    """Say whether anything was ever taken from, or done to, this period."""
    return session.exec(select(BudgetPeriodRow.budget_id).where(_is_period(counter))).first() is not None


def lock(counter: Counter, *, session: Session) -> Totals:
    """Lock a period, which begins if it has not yet, and return what its shares come to."""
    _lock_period(counter, session=session)
    # A statement of its own, so that it sees shares that others have made before the lock was free.
    parts = columns(col(BudgetShare.left_amount), col(BudgetShare.reserved_amount), col(BudgetShare.spent_amount))
    ordered = parts.where(_is_counter(counter)).order_by(col(BudgetShare.share)).with_for_update()
    return _sum([Totals(*part) for part in session.execute(ordered)])


def _lock_period(counter: Counter, *, session: Session) -> None:
    locked = select(BudgetPeriodRow.budget_id).where(_is_period(counter)).with_for_update(key_share=True)
    if session.exec(locked).first() is None:
        _begin(counter, session=session)
        session.exec(locked).one()


def _begin(counter: Counter, *, session: Session) -> None:
    # Shared with others who begin it, but with nobody who changes the limit meanwhile.
    limit = columns(col(Budget.limit_amount)).where(col(Budget.id) == counter.budget_id).with_for_update(read=True)
    amount = session.execute(limit).scalar_one()
    key = {"budget_id": counter.budget_id, "period_start": counter.period_start, "org_id": counter.org_id}
    begun = session.execute(
        upsert(BudgetPeriodRow)
        .values(**key, limit_amount=amount, noticed=0)
        .on_conflict_do_nothing()
        .returning(col(BudgetPeriodRow.budget_id))
    )
    if begun.first():
        _insert(counter, [Totals(left=amount)], session=session)


def _change_one(counter: Counter, change: Totals, *, session: Session) -> bool:
    """Change one share that holds enough; return False, with the period locked, where there is none."""
    one = changing_each({counter: change})
    if send(one, session=session) == [[(1,)]]:
        return True
    _lock_period(counter, session=session)
    # Whoever had the period before may have divided it.
    return send(one, session=session) == [[(1,)]]


def _write(counter: Counter, totals: Totals, *, size: Decimal | None = None, session: Session) -> None:
    """Write what a locked period comes to: divided among shares where there is room for many calls, else as one.

    Args:
        size: of the call that did not find a free share; without one, nothing says that shares are needed.
    """
    session.execute(delete(BudgetShare).where(_is_counter(counter)).execution_options(synchronize_session=False))
    if not size or totals.left < _SHARES * _CALLS_IN_A_SHARE * size:
        # All that is left in one place: for a call that needs it, or as a debt that nothing else may cover.
        _insert(counter, [totals], session=session)
        return
    part = (totals.left / _SHARES).quantize(_SMALLEST, ROUND_FLOOR)
    first = Totals(totals.left - part * (_SHARES - 1), totals.reserved, totals.spent)
    _insert(counter, [first, *[Totals(left=part)] * (_SHARES - 1)], session=session)


def _insert(counter: Counter, parts: Sequence[Totals], *, session: Session) -> None:
    rows = [
        {
            "budget_id": counter.budget_id,
            "period_start": counter.period_start,
            "org_id": counter.org_id,
            "share": number,
            "left_amount": part.left,
            "reserved_amount": part.reserved,
            "spent_amount": part.spent,
        }
        for number, part in enumerate(parts)
    ]
    session.execute(insert(BudgetShare), rows)


def _sum(parts: Sequence[Totals]) -> Totals:
    return Totals(
        left=sum((part.left for part in parts), start=Decimal(0)),
        reserved=sum((part.reserved for part in parts), start=Decimal(0)),
        spent=sum((part.spent for part in parts), start=Decimal(0)),
    )


def _period(counter: Counter, *, session: Session) -> BudgetPeriodRow:
    statement = select(BudgetPeriodRow).where(_is_period(counter)).execution_options(populate_existing=True)
    return session.exec(statement).one()


def _is_period(counter: Counter) -> ColumnElement[bool]:
    return and_(
        col(BudgetPeriodRow.budget_id) == counter.budget_id, col(BudgetPeriodRow.period_start) == counter.period_start
    )


def _is_counter(counter: Counter) -> ColumnElement[bool]:
    return and_(col(BudgetShare.budget_id) == counter.budget_id, col(BudgetShare.period_start) == counter.period_start)
