"""Rows of the audit log as people look for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.sql import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from maos.risk import RiskLevel
from sql.audit_tables import AuditRow
from sql.tables import Organization


@dataclass(frozen=True)
class AuditFilter:
    """Which rows a listing shows; of a page before, `before` is its last row: organisation and sequence."""

    org_id: UUID | None = None
    run_id: UUID | None = None
    event: str | None = None
    actor: str | None = None
    action: str | None = None
    risk: RiskLevel | None = None
    was_automatic: bool | None = None
    failures: bool = False
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[UUID, int] | None = None
    limit: int = 50


def audit_of_run(run_id: UUID, *, session: Session) -> Sequence[AuditRow]:
    """Return the audit rows of a run in the order they were written."""
    return session.exec(select_rows(AuditRow).where(AuditRow.run_id == run_id).order_by(col(AuditRow.sequence))).all()


def list_audit(which: AuditFilter, *, session: Session) -> Sequence[tuple[AuditRow, str]]:
    """Return audit rows with the slug of their organisation, newest first."""
    order = [column.desc() for column in _order(which)]
    statement = (
        select_rows(AuditRow, Organization.slug)
        .join(Organization, col(Organization.id) == AuditRow.org_id)
        .where(*_conditions(which))
        .order_by(*order)
        .limit(which.limit)
    )
    return session.exec(statement).all()


# Any: the types of columns that stand side by side.
def _order(which: AuditFilter) -> tuple[Any, ...]:
    # Within a chain its own order: clocks may differ from it.
    by_time = (col(AuditRow.recorded_at), col(AuditRow.org_id), col(AuditRow.sequence))
    return (col(AuditRow.sequence),) if which.org_id else by_time


def _conditions(which: AuditFilter) -> list[ColumnElement[bool]]:
    equal = ("org_id", "run_id", "actor", "action", "risk", "was_automatic")
    found = [col(getattr(AuditRow, name)) == getattr(which, name) for name in equal if getattr(which, name) is not None]
    if which.event:
        # `approval` is every event of approvals.
        kind = func.starts_with(AuditRow.event, f"{which.event}.")
        found.append(or_(col(AuditRow.event) == which.event, kind))
    if which.failures:
        found.append(col(AuditRow.success).is_(False))
    if which.since:
        found.append(col(AuditRow.recorded_at) >= which.since)
    if which.until:
        found.append(col(AuditRow.recorded_at) < which.until)
    if which.before:
        org_id, sequence = which.before
        last = select(*_order(which)).where(col(AuditRow.org_id) == org_id, col(AuditRow.sequence) == sequence)
        found.append(tuple_(*_order(which)) < last.scalar_subquery())
    return found


def audit_row(org_id: UUID, sequence: int, *, session: Session) -> AuditRow | None:
    """Return one row."""
    return session.exec(select_rows(AuditRow).where(AuditRow.org_id == org_id, AuditRow.sequence == sequence)).first()


def hash_before(org_id: UUID, sequence: int, *, session: Session) -> str:
    """Return the hash that a row builds on, as that row says."""
    statement = select_rows(AuditRow.previous_hash).where(AuditRow.org_id == org_id, AuditRow.sequence == sequence)
    return session.exec(statement).one()


def sequences_between(
    org_id: UUID, *, since: datetime | None, until: datetime | None, session: Session
) -> tuple[int, int] | None:
    """Return the first row of an organisation recorded since a time, and the last one before another."""
    first, last = func.min(AuditRow.sequence), func.max(AuditRow.sequence)
    statement = select(first, last).where(col(AuditRow.org_id) == org_id)
    if since:
        statement = statement.where(col(AuditRow.recorded_at) >= since)
    if until:
        statement = statement.where(col(AuditRow.recorded_at) < until)
    found = session.execute(statement).one()
    return (found[0], found[1]) if found[0] is not None else None
