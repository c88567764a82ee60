"""What is billed: entries added up for a month, months that are closed, and statements that stay as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import Text, cast, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from maos.billing import BillingUnit, Statement, StatementLine
from maos.billing_months import BillingMonth
from sql.billing_tables import BillingClosing, BillingStatement
from sql.tables import Organization, UsageEntry

_READ_AT_ONCE = 5000
# Whoever adds an entry waits behind a closing: a transaction that hangs must not hold up an organisation.
LONGEST_WAIT = "5s"


@dataclass(frozen=True)
class Billed:
    """An organisation as it is billed."""

    org_id: UUID
    slug: str
    name: str


def organizations_billed(*, session: Session) -> Sequence[Billed]:
    """Return every organisation that was ever charged anything, suspended ones too."""
    charged = select(col(UsageEntry.org_id)).where(
        col(UsageEntry.org_id) == Organization.id, col(UsageEntry.billing_month).is_not(None)
    )
    statement = select(col(Organization.id), col(Organization.slug), col(Organization.name)).where(charged.exists())
    return [Billed(*row) for row in session.execute(statement.order_by(col(Organization.slug)))]


def billed(org_id: UUID, *, session: Session) -> Billed:
    """Return an organisation that exists."""
    org = session.get_one(Organization, org_id)
    return Billed(org.id, org.slug, org.name)


def lines_of(org_id: UUID, month: BillingMonth, *, session: Session) -> tuple[StatementLine, ...]:
    """Add up the entries of a month: this month's usage first, then corrections, the oldest first.

    The database adds them up: no entry is read here, however many there are.
    """
    entry = UsageEntry
    group = (col(entry.corrects_month), col(entry.engine), col(entry.action), col(entry.unit))
    sums = func.sum(entry.quantity), func.sum(entry.amount_usd), func.count()
    statement = (
        select(*group, *sums)
        .where(col(entry.org_id) == org_id, col(entry.billing_month) == month.first)
        .group_by(*group)
        .order_by(col(entry.corrects_month).asc().nulls_first(), *group[1:])
    )
    return tuple(
        StatementLine.of(
            BillingUnit(unit),
            corrects=corrects,
            engine=engine,
            action=action,
            counted=int(counted),
            amount=Decimal(amount),
            entries=entries,
        )
        for corrects, engine, action, unit, counted, amount, entries in session.execute(statement)
    )


def entries_of(org_id: UUID, month: BillingMonth, *, session: Session) -> Iterator[tuple[str | int | None, ...]]:
    """Yield the entries of a month, as `maos.statement_tables` names their columns, through a cursor."""
    entry = UsageEntry
    moment = func.to_char(func.timezone("UTC", entry.recorded_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    statement = (
        select(
            cast(col(entry.id), Text),
            moment,
            cast(col(entry.run_id), Text),
            cast(col(entry.invocation_id), Text),
            col(entry.kind),
            col(entry.number),
            func.to_char(entry.corrects_month, "YYYY-MM"),
            col(entry.engine),
            col(entry.action),
            col(entry.unit),
            col(entry.quantity),
            cast(col(entry.amount_usd), Text),
        )
        .where(col(entry.org_id) == org_id, col(entry.billing_month) == month.first)
        .order_by(col(entry.recorded_at), col(entry.id))
    )
    for row in session.execute(statement, execution_options={"yield_per": _READ_AT_ONCE}):
        yield tuple(row)


def due_months(org_id: UUID, until: BillingMonth | None = None, *, session: Session) -> list[BillingMonth]:
    """Return the months whose statement is still to be written, the oldest first.

    Args:
        until: the last one of interest.
    """
    return [*_unfrozen_months(org_id, session=session), *_open_months(org_id, until, session=session)]


def _open_months(org_id: UUID, until: BillingMonth | None, *, session: Session) -> list[BillingMonth]:
    """Return the months that have entries and are not closed."""
    closed = select(func.coalesce(func.max(BillingClosing.month), text("'-infinity'::date"))).where(
        col(BillingClosing.org_id) == org_id
    )
    statement = (
        select(col(UsageEntry.billing_month))
        .where(col(UsageEntry.org_id) == org_id, col(UsageEntry.billing_month) > closed.scalar_subquery())
        .distinct()
    )
    if until:
        statement = statement.where(col(UsageEntry.billing_month) <= until.first)
    return sorted(BillingMonth(month) for month in session.scalars(statement) if month)


def _unfrozen_months(org_id: UUID, *, session: Session) -> list[BillingMonth]:
    """Return closed months whose statement was not written, because the process that closed them died."""
    statement = (
        select(col(BillingClosing.month))
        .outerjoin(
            BillingStatement,
            (col(BillingStatement.org_id) == BillingClosing.org_id)
            & (col(BillingStatement.month) == BillingClosing.month),
        )
        .where(col(BillingClosing.org_id) == org_id, col(BillingStatement.month).is_(None))
        .order_by(col(BillingClosing.month))
    )
    return [BillingMonth(month) for month in session.scalars(statement)]


def lock_billing(org_id: UUID, *, session: Session) -> bool:
    """Wait for the entries of an organisation that are being written, and keep others from being written.

    Returns: whether they were written in time; if not, nobody is held up any longer.
    """
    session.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": LONGEST_WAIT})
    try:
        with session.begin_nested():
            session.execute(select(func.pg_advisory_xact_lock(func.billing_lock(org_id))))
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    return True


def add_closing(org_id: UUID, month: BillingMonth, *, session: Session) -> None:
    """Close a month; the database gives it the next number."""
    session.execute(insert(BillingClosing).values(org_id=org_id, month=month.first))


def is_closed(org_id: UUID, month: BillingMonth, *, session: Session) -> bool:
    """Say whether no entry is billed in a month any more: it is closed, or a later one is."""
    later = select(col(BillingClosing.org_id)).where(
        col(BillingClosing.org_id) == org_id, col(BillingClosing.month) >= month.first
    )
    return bool(session.scalar(select(later.exists())))


def closing_of(org_id: UUID, month: BillingMonth, *, session: Session) -> BillingClosing | None:
    """Return the closing of a month, if it is closed."""
    statement = select_rows(BillingClosing).where(
        col(BillingClosing.org_id) == org_id, col(BillingClosing.month) == month.first
    )
    return session.exec(statement).first()


def frozen_statement(org_id: UUID, month: BillingMonth, *, session: Session) -> BillingStatement | None:
    """Return the statement of a closed month as it was written."""
    statement = select_rows(BillingStatement).where(
        col(BillingStatement.org_id) == org_id, col(BillingStatement.month) == month.first
    )
    return session.exec(statement).first()


def frozen_statements(
    month: BillingMonth | None, *, org_id: UUID | None = None, session: Session
) -> Iterator[BillingStatement]:
    """Yield the statements that were written: of a month or of all, of an organisation or of all."""
    statement = select_rows(BillingStatement).order_by(col(BillingStatement.org_id), col(BillingStatement.month))
    if month:
        statement = statement.where(col(BillingStatement.month) == month.first)
    if org_id:
        statement = statement.where(col(BillingStatement.org_id) == org_id)
    yield from session.exec(statement.execution_options(yield_per=100))


def add_statement(org_id: UUID, month: BillingMonth, statement: Statement, *, session: Session) -> bool:
    """Write the statement of a closed month, unless somebody has; say whether it is this one that stands."""
    values = {
        "org_id": org_id,
        "month": month.first,
        "document": statement.document(),
        "digest": statement.digest,
        "entries": statement.entries,
        "total_usd": statement.total_usd,
    }
    added = insert(BillingStatement).values(**values).on_conflict_do_nothing().returning(col(BillingStatement.month))
    return session.execute(added).first() is not None
