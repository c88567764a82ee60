"""How long audit rows are kept, legal holds, and what has left the log."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select as select_columns
from sqlalchemy import text, update
from sqlmodel import Session, col, select

from sql.retention_tables import AuditArchive, AuditRetention, LegalHold
from sql.tables import Organization, utc_now


def newest_retention(org_id: UUID, *, session: Session) -> AuditRetention | None:
    """Return what holds for an organisation; None: its rows are kept for ever."""
    statement = (
        select(AuditRetention)
        .where(AuditRetention.org_id == org_id)
        .order_by(col(AuditRetention.version).desc())
        .limit(1)
    )
    return session.exec(statement).first()


def add_retention(org_id: UUID, months: int | None, *, person: str, reason: str, session: Session) -> int:
    """Store the next version; return its number."""
    newest = newest_retention(org_id, session=session)
    version = newest.version + 1 if newest else 1
    session.add(AuditRetention(org_id=org_id, version=version, months=months, set_by=person, reason=reason))
    session.flush()
    return version


def open_holds(org_id: UUID, *, session: Session) -> Sequence[LegalHold]:
    """Return the holds of an organisation that nobody has released, the oldest first."""
    statement = select(LegalHold).where(LegalHold.org_id == org_id, col(LegalHold.released_at).is_(None))
    return session.exec(statement.order_by(col(LegalHold.placed_at), col(LegalHold.id))).all()


def add_hold(org_id: UUID, *, person: str, reason: str, session: Session) -> LegalHold:
    """Place a hold."""
    hold = LegalHold(org_id=org_id, reason=reason, placed_by=person)
    session.add(hold)
    session.flush()
    return hold


def release_hold(hold_id: UUID, *, person: str, reason: str, session: Session) -> bool:
    """Release a hold; return False when it is no open one of the session's organisation."""
    released = session.execute(
        update(LegalHold)
        .where(col(LegalHold.id) == hold_id, col(LegalHold.released_at).is_(None))
        .values(released_by=person, release_reason=reason, released_at=utc_now())
        .returning(col(LegalHold.id))
    )
    return released.first() is not None


class Stretch(NamedTuple):
    """What a month of the log holds of an organisation."""

    org_id: UUID
    first_sequence: int
    last_sequence: int
    previous_hash: str
    last_hash: str
    # Whether it is the beginning of what the log has of the organisation.
    begins: bool


def ended_months(*, session: Session) -> Sequence[date]:
    """Return the months of the log that are over, the oldest first."""
    statement = text(
        "SELECT month FROM (SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'agent_action_audit_log'::regclass "
        "AND c.relname ~ '_[0-9]{4}_[0-9]{2}$') AS months "
        "WHERE (month + interval '1 month') AT TIME ZONE 'UTC' <= now() ORDER BY month"
    )
    return session.scalars(statement).all()


def stretches_of(month: date, *, session: Session) -> list[Stretch]:
    """Return what a month of the log holds of each organisation."""
    found = session.execute(text("SELECT * FROM audit_month_stretches(:month)"), {"month": month})
    return [Stretch(*row) for row in found]


def kept_by(month: date, org_ids: Collection[UUID], *, session: Session) -> list[tuple[str, str]]:
    """Return which of these organisations keep a month, by their slugs, and why."""
    statement = text(
        "SELECT o.slug, k.why FROM audit_month_kept_by(:month, :orgs) AS k JOIN organizations o ON o.id = k.org_id "
        "ORDER BY o.slug"
    )
    return [(slug, why) for slug, why in session.execute(statement, {"month": month, "orgs": list(org_ids)})]


def detach(month: date, *, session: Session) -> bool:
    """Take a month out of the log, noting what it holds; False: readers or writers were in the way."""
    return bool(session.scalar(text("SELECT detach_audit_partition(:month)"), {"month": month}))


def drop(month: date, *, session: Session) -> bool:
    """Remove a month that was taken out and exported; False: something keeps it by now."""
    return bool(session.scalar(text("SELECT drop_audit_partition(:month)"), {"month": month}))


def unfinished_months(*, session: Session) -> Sequence[date]:
    """Return the months that were taken out of the log and are still there, the oldest first."""
    statement = select_columns(col(AuditArchive.month)).where(col(AuditArchive.dropped_at).is_(None)).distinct()
    return session.scalars(statement.order_by(col(AuditArchive.month))).all()


def archives_of_month(month: date, *, session: Session) -> Sequence[tuple[AuditArchive, str]]:
    """Return what was taken out with a month that is still there, with the slugs of the organisations."""
    statement = (
        select(AuditArchive, Organization.slug)
        .join(Organization, col(Organization.id) == AuditArchive.org_id)
        .where(AuditArchive.month == month, col(AuditArchive.dropped_at).is_(None))
    )
    return session.exec(statement.order_by(Organization.slug)).all()


def archives_of(org_id: UUID, *, session: Session) -> Sequence[AuditArchive]:
    """Return everything of an organisation that has left the log, the oldest first."""
    statement = select(AuditArchive).where(AuditArchive.org_id == org_id)
    return session.exec(statement.order_by(col(AuditArchive.last_sequence))).all()


def note_export(archive: AuditArchive, *, file: str, sha256: str, session: Session) -> bool:
    """Note the file of an archive; return False when that is noted already."""
    noted = session.execute(
        update(AuditArchive)
        .where(
            col(AuditArchive.org_id) == archive.org_id,
            col(AuditArchive.last_sequence) == archive.last_sequence,
            col(AuditArchive.exported_at).is_(None),
        )
        .values(file=file, sha256=sha256, exported_at=utc_now())
        .returning(col(AuditArchive.last_sequence))
    )
    return noted.first() is not None


def oldest_row_at(org_id: UUID, *, session: Session) -> datetime | None:
    """Return when the oldest row that the log has of an organisation was recorded."""
    statement = text("SELECT recorded_at FROM agent_action_audit_log WHERE org_id = :org ORDER BY sequence LIMIT 1")
    found: datetime | None = session.scalar(statement, {"org": org_id})
    return found
