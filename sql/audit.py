"""Rows of the audit log, each linked to the one before under its organisation's lock; and whether they hold."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, Text, Uuid, bindparam, cast, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from maos.audit import (
    COLUMNS,
    GENESIS_HASH,
    AuditEvent,
    ChainFault,
    ChainReader,
    Document,
    KnownRow,
    link_hash,
    next_link,
    trimmed,
)
from maos.canonical import plain
from sql.audit_tables import AuditChainHead, AuditRow
from sql.pipelines import Worded
from sql.retention_tables import AuditArchive
from sql.tables import Organization, utc_now
from sql.trips import send, send_later

_ROWS, _HEADS = (SQLModel.metadata.tables[str(each.__tablename__)] for each in (AuditRow, AuditChainHead))
_HEAD = select(_HEADS.c.sequence, _HEADS.c.row_hash, _HEADS.c.recorded_at)
_LOCKED_HEAD = Worded(_HEAD.where(_HEADS.c.org_id == bindparam("org")).with_for_update())
_ADD = Worded(insert(_ROWS).values({name: bindparam(name) for name in (*COLUMNS, "row_hash")}))
_NEW_HEAD = Worded(
    update(_HEADS)
    .where(_HEADS.c.org_id == bindparam("org"))
    .values({name: bindparam(name) for name in ("sequence", "row_hash", "recorded_at")})
)
_READ_AT_ONCE = 5000
_SALT_BYTES = 16
_UNEVEN_CLOCKS = timedelta(minutes=5)
_RECORDED_AT = COLUMNS.index("recorded_at")


def append_audit(event: AuditEvent, *, org_id: UUID, session: Session) -> None:
    """Write the event as the next link of the organisation's chain.

    The chain head stays locked until the transaction ends: write audit rows last.
    """
    append_all([event], org_id=org_id, session=session)


def append_all(events: Sequence[AuditEvent], *, org_id: UUID, session: Session) -> None:
    """Write events as the next links of the organisation's chain, in their order."""
    if not events:
        return
    sequence, row_hash, at = _locked_head(org_id, session=session)
    rows = []
    for event in events:
        sequence += 1
        at = _not_before(at, utc_now())
        link = next_link(
            event,
            org_id=org_id,
            sequence=sequence,
            recorded_at=at,
            previous_hash=row_hash,
            salt=token_hex(_SALT_BYTES),
        )
        row_hash = link_hash(link)
        rows.append({**link.model_dump(), "row_hash": row_hash})
    head = _NEW_HEAD.of(org=org_id, sequence=sequence, row_hash=row_hash, recorded_at=at)
    if len(rows) == 1:
        send_later(_ADD.of(**rows[0]), head, session=session)
        return
    # Not as objects: nothing reads them again, and decisions in bulk would take noticeably longer.
    session.execute(insert(_ROWS), rows)
    send_later(head, session=session)


def _not_before(last: datetime | None, now: datetime) -> datetime:
    """Return when a row is recorded: not before the last one, so that a month is a stretch of the chain.

    A clock that was far ahead is not followed: one wrong row must not make all the later ones wrong.
    """
    return max(last, now) if last and last - now < _UNEVEN_CLOCKS else now


def _locked_head(org_id: UUID, *, session: Session) -> tuple[int, str, datetime | None]:
    locked = _LOCKED_HEAD.of(org=org_id)
    (found,) = send(locked, session=session)
    if not found:
        first = insert(_HEADS).values(org_id=org_id, sequence=0, row_hash=GENESIS_HASH).on_conflict_do_nothing()
        session.execute(first)
        (found,) = send(locked, session=session)
    sequence, row_hash, at = found[0]
    return sequence, row_hash, at


def organizations_with_audit(*, session: Session) -> Sequence[tuple[UUID, str]]:
    """Return id and slug of every organisation that has a chain."""
    statement = (
        select_rows(Organization.id, Organization.slug)
        .join(AuditChainHead, col(AuditChainHead.org_id) == Organization.id)
        .order_by(Organization.slug)
    )
    return session.exec(statement).all()


def head_of(org_id: UUID, *, session: Session) -> tuple[int, str]:
    """Return sequence and hash of the newest link of an organisation's chain."""
    head = session.execute(_HEAD.where(_HEADS.c.org_id == org_id)).first()
    return (head.sequence, head.row_hash) if head else (0, GENESIS_HASH)


def base_of(org_id: UUID, *, session: Session) -> tuple[int, str]:
    """Return sequence and hash of the last link that has left the log for an archive; the chain goes on from there."""
    statement = (
        select_rows(AuditArchive.last_sequence, AuditArchive.last_hash)
        .where(AuditArchive.org_id == org_id)
        .order_by(col(AuditArchive.last_sequence).desc())
    )
    return session.exec(statement).first() or (0, GENESIS_HASH)


def verify_chain(org_id: UUID, *, known: Iterable[KnownRow] = (), session: Session) -> tuple[int, ChainFault | None]:
    """Check an organisation's whole chain; return how many rows hold and the first fault.

    Args:
        known: rows as they were noted elsewhere before.
    """
    known = list(known)
    sequence, row_hash = base_of(org_id, session=session)
    if sequence and (sequence, row_hash) not in [each[:2] for each in known]:
        return 0, ChainFault(sequence=sequence, reason=f"the log begins after row {sequence}, which no anchor knows")
    reader = ChainReader(sequence=sequence, row_hash=row_hash, known=known)
    # Writers go on meanwhile; what they add is read under a lock that they wait for, and is little.
    if fault := _read_all(reader, documents(org_id, session=session)):
        return reader.sequence, fault
    head = session.execute(_HEAD.where(_HEADS.c.org_id == org_id).with_for_update(read=True)).first()
    if head is None:
        # Nothing could be locked, so whoever writes the first row does not wait: what comes now is not read.
        return reader.sequence, reader.end(sequence=0, row_hash=GENESIS_HASH)
    if fault := _read_all(reader, documents(org_id, first=reader.sequence + 1, session=session)):
        return reader.sequence, fault
    return reader.sequence, reader.end(sequence=head.sequence, row_hash=head.row_hash)


def _read_all(reader: ChainReader, rows: Iterable[tuple[Document, str]]) -> ChainFault | None:
    return next((fault for document, row_hash in rows if (fault := reader.read(document, row_hash))), None)


def documents(
    org_id: UUID, *, first: int = 1, last: int | None = None, table: Table = _ROWS, session: Session
) -> Iterator[tuple[Document, str]]:
    """Yield rows of an organisation's chain as they are hashed, each with its hash, in their order.

    Read through a cursor, as tuples: a million rows take neither much memory nor long.

    Args:
        table: the log, or a month that was taken out of it.
    """
    statement = (
        select(*[_as_text(table.c[name]) for name in (*COLUMNS, "row_hash")])
        .where(table.c.org_id == org_id, table.c.sequence >= first)
        .order_by(table.c.sequence)
    )
    if last is not None:
        statement = statement.where(table.c.sequence <= last)
    for row in session.execute(statement, execution_options={"yield_per": _READ_AT_ONCE}):
        *values, row_hash = row
        values[_RECORDED_AT] = plain(values[_RECORDED_AT])
        yield trimmed(dict(zip(COLUMNS, values, strict=True))), row_hash


# Any: columns of several types.
def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # By the database: objects for ids would take longer than everything else.
    return cast(column, Text) if isinstance(column.type, Uuid) else column
