"""Statements of months: shown while a month is open, closed once, and then the same for ever."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlmodel import Session

from maos.audit import AuditEvent
from maos.billing import NotBilled, Statement
from maos.billing_months import BillingMonth
from maos.canonical import digest_of
from maos.errors import BadInput
from sql import audit, billing, billing_check
from sql.billing import Billed
from sql.billing_check import BillingFault
from sql.billing_tables import BillingStatement
from sql.session import org_session, system_session
from sql.tables import utc_now

_CLOSER = "maos"


@dataclass(frozen=True)
class Closings:
    """What closing came to."""

    closed: tuple[Statement, ...]
    refused: tuple[NotBilled, ...]


def statement_of(org_id: UUID, month: BillingMonth) -> Statement:
    """Return what an organisation owes for a month; that of a closed month is read as it was written.

    Raises:
        BadInput: when the month has not begun.
        NotBilled: when a closed month's statement is not what was written.
    """
    if month.begins > utc_now():
        raise BadInput("month", str(month), "a month that has begun, in UTC")
    with org_session(org_id) as session:
        return _statement(org_id, month, session=session)


def close_month(org_id: UUID, month: BillingMonth) -> list[Statement]:
    """Close a month, and the months before it that are open; return the statements that were not there before.

    Doing it again, or at the same time as somebody else, adds nothing.

    Raises:
        BadInput: when the month has not ended.
        NotBilled: when the entries of a month do not agree with the calls, or do not come to rest; it stays open then.
    """
    return list(_closing(org_id, month))


def close_ended_months(now: datetime) -> Closings:
    """Close every month that has ended, of every organisation; one that is refused keeps no other from it."""
    return close_all(BillingMonth.before(now))


def close_all(month: BillingMonth) -> Closings:
    """Close a month, and the open ones before it, of every organisation that was charged anything."""
    with system_session() as session:
        known = billing.organizations_billed(session=session)
    closed: list[Statement] = []
    refused: list[NotBilled] = []
    for whose in known:
        try:
            for statement in _closing(whose.org_id, month):
                closed.append(statement)  # noqa: PERF402 - those before a refusal count
        except NotBilled as error:
            refused.append(error)
    return Closings(tuple(closed), tuple(refused))


def closed_statements(month: BillingMonth | None, org_id: UUID | None = None) -> list[Statement]:
    """Return the statements that were written: of a closed month or of all, of an organisation or of all.

    Raises:
        NotBilled: when one is not what was written.
    """
    with system_session() as session:
        frozen = billing.frozen_statements(month, org_id=org_id, session=session)
        return [_read(each) for each in frozen]


def check_billing(org_id: UUID | None = None) -> list[BillingFault]:
    """Return what does not add up between calls, entries and statements; nothing, where all is well."""
    with system_session() as session:
        wrong = [*billing_check.unreconciled(org_id=org_id, session=session)]
        wrong += billing_check.untrue_statements(org_id=org_id, session=session)
        for frozen in billing.frozen_statements(None, org_id=org_id, session=session):
            try:
                _read(frozen)
            except NotBilled as error:
                wrong.append(BillingFault(error.org, error.month, None, None, error.reason))
    return wrong


def _closing(org_id: UUID, until: BillingMonth) -> Iterator[Statement]:
    """Close months, the oldest first; yield each statement that was not there before."""
    if until.ends > utc_now():
        raise BadInput(
            "month", str(until), f"a month that has ended, in UTC; {until} ends at {until.ends:%Y-%m-%d %H:%M}"
        )
    with system_session() as session:
        whose = billing.billed(org_id, session=session)
        due = billing.due_months(org_id, until, session=session)
    for month in due:
        if statement := _close(whose, month):
            yield statement


def _close(whose: Billed, month: BillingMonth) -> Statement | None:
    _refuse_unreconciled(whose, month)
    _cut(whose, month)
    return _freeze(whose, month)


def _refuse_unreconciled(whose: Billed, month: BillingMonth) -> None:
    with system_session() as session:
        found = billing_check.unreconciled(org_id=whose.org_id, month=month, session=session)
    if found:
        listed = "; ".join(f"invocation {each.invocation_id}: {each.fault}" for each in found[:5])
        raise NotBilled(whose.slug, str(month), f"entries and invocations differ in {len(found)} places: {listed}")


def _cut(whose: Billed, month: BillingMonth) -> None:
    """Close a month for entries: whatever is added from now on is billed in a later one.

    A transaction of its own, as short as can be: whoever adds an entry waits for it, and it waits for nothing else.
    """
    with system_session() as session:
        if not billing.lock_billing(whose.org_id, session=session):
            raise NotBilled(
                whose.slug, str(month), f"an entry has been under way for {billing.LONGEST_WAIT}; try again"
            )
        if not billing.is_closed(whose.org_id, month, session=session):
            billing.add_closing(whose.org_id, month, session=session)


def _freeze(whose: Billed, month: BillingMonth) -> Statement | None:
    """Write the statement of a closed month, whose entries no longer change; None: somebody else has."""
    with system_session() as session:
        statement = _added_up(whose, month, session=session)
        if not billing.add_statement(whose.org_id, month, statement, session=session):
            return None
        audit.append_audit(_event(statement), org_id=whose.org_id, session=session)
    return statement


def _statement(org_id: UUID, month: BillingMonth, *, session: Session) -> Statement:
    frozen = billing.frozen_statement(org_id, month, session=session)
    return _read(frozen) if frozen else _added_up(billing.billed(org_id, session=session), month, session=session)


def _read(frozen: BillingStatement) -> Statement:
    statement = Statement.model_validate(frozen.document)
    if digest_of(frozen.document) != frozen.digest or statement.document() != frozen.document:
        raise NotBilled(
            statement.org, statement.month, "its statement is not the one that was written when it was closed"
        )
    return statement


def _added_up(whose: Billed, month: BillingMonth, *, session: Session) -> Statement:
    closing = billing.closing_of(whose.org_id, month, session=session)
    return Statement(
        org=whose.slug,
        org_name=whose.name,
        month=str(month),
        number=closing.number if closing else None,
        closed_at=closing.closed_at.astimezone(UTC) if closing else None,
        lines=billing.lines_of(whose.org_id, month, session=session),
    )


def _event(statement: Statement) -> AuditEvent:
    owed = f"{statement.total_usd:f} USD in {statement.entries} entries"
    return AuditEvent(
        event="billing.closed",
        actor=_CLOSER,
        run_id=None,
        digest=statement.digest,
        summary=f"{statement.month} is closed as {statement.reference}: {owed}",
    )
