"""Rows of the audit log, each linked to the one before under its organisation's lock; and whether they hold."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, cast, select, update
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
    link_hash,
    next_link,
    trimmed,
)
from maos.canonical import plain
from sql.audit_tables import AuditChainHead, AuditRow
from sql.tables import Organization, utc_now

_ROWS, _HEADS = (SQLModel.metadata.tables[str(each.__tablename__)] for each in (AuditRow, AuditChainHead))
_HEAD = select(_HEADS.c.sequence, _HEADS.c.row_hash)
_READ_AT_ONCE = 5000
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
    sequence, row_hash = _locked_head(org_id, session=session)
    rows = []
    for event in events:
        sequence += 1
        link = next_link(event, org_id=org_id, sequence=sequence, recorded_at=utc_now(), previous_hash=row_hash)
        row_hash = link_hash(link)
        rows.append({**link.model_dump(), "row_hash": row_hash})
    # Not as objects: nothing reads them again, and decisions in bulk would take noticeably longer.
    session.execute(insert(_ROWS), rows)
    session.execute(update(_HEADS).where(_HEADS.c.org_id == org_id).values(sequence=sequence, row_hash=row_hash))


def _locked_head(org_id: UUID, *, session: Session) -> tuple[int, str]:
    locked = _HEAD.where(_HEADS.c.org_id == org_id).with_for_update()
    head = session.execute(locked).first()
    if head is None:
        first = insert(_HEADS).values(org_id=org_id, sequence=0, row_hash=GENESIS_HASH).on_conflict_do_nothing()
        session.execute(first)
        head = session.execute(locked).one()
    return head.sequence, head.row_hash


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


def verify_chain(org_id: UUID, *, session: Session) -> tuple[int, ChainFault | None]:
    """Check an organisation's whole chain; return how many rows hold and the first fault."""
    reader = ChainReader()
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
    org_id: UUID, *, first: int = 1, last: int | None = None, session: Session
) -> Iterator[tuple[Document, str]]:
    """Yield rows of an organisation's chain as they are hashed, each with its hash, in their order.

    Read through a cursor, as tuples: a million rows take neither much memory nor long.
    """
    statement = (
        select(*map(_as_text, (*COLUMNS, "row_hash")))
        .where(col(AuditRow.org_id) == org_id, col(AuditRow.sequence) >= first)
        .order_by(col(AuditRow.sequence))
    )
    if last is not None:
        statement = statement.where(col(AuditRow.sequence) <= last)
    for row in session.execute(statement, execution_options={"yield_per": _READ_AT_ONCE}):
        *values, row_hash = row
        values[_RECORDED_AT] = plain(values[_RECORDED_AT])
        yield trimmed(dict(zip(COLUMNS, values, strict=True))), row_hash


# Any: columns of several types.
def _as_text(name: str) -> ColumnElement[Any]:
    column: ColumnElement[Any] = getattr(AuditRow, name)
    # By the database: objects for ids would take longer than everything else.
    return cast(column, Text) if isinstance(column.type, Uuid) else column
