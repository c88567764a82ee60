"""Rows of the audit log, each linked to the one before under its organisation's lock."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from maos.audit import GENESIS_HASH, AuditEvent, AuditLink, ChainFault, ChainReader, link_hash
from sql.tables import AuditChainHead, AuditRow, Organization, utc_now

_READ_AT_ONCE = 1000


def append_audit(event: AuditEvent, *, org_id: UUID, session: Session) -> None:
    """Write the event as the next link of the organisation's chain.

    The chain head stays locked until the transaction ends: write audit rows last.
    """
    append_all([event], org_id=org_id, session=session)


def append_all(events: Sequence[AuditEvent], *, org_id: UUID, session: Session) -> None:
    """Write events as the next links of the organisation's chain, in their order."""
    if not events:
        return
    head = _locked_head(org_id, session=session)
    sequence, row_hash = head.sequence, head.row_hash
    for event in events:
        sequence += 1
        link = AuditLink(
            **event.model_dump(), org_id=org_id, sequence=sequence, recorded_at=utc_now(), previous_hash=row_hash
        )
        row_hash = link_hash(link)
        session.add(AuditRow(**link.model_dump(), row_hash=row_hash))
    session.execute(
        update(AuditChainHead).where(col(AuditChainHead.org_id) == org_id).values(sequence=sequence, row_hash=row_hash)
    )


def _locked_head(org_id: UUID, *, session: Session) -> AuditChainHead:
    locked = (
        select(AuditChainHead)
        .where(AuditChainHead.org_id == org_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if head := session.exec(locked).first():
        return head
    first = insert(AuditChainHead).values(org_id=org_id, sequence=0, row_hash=GENESIS_HASH).on_conflict_do_nothing()
    session.execute(first)
    return session.exec(locked).one()


def audit_of_run(run_id: UUID, *, session: Session) -> Sequence[AuditRow]:
    """Return the audit rows of a run in the order they were written."""
    return session.exec(select(AuditRow).where(AuditRow.run_id == run_id).order_by(col(AuditRow.sequence))).all()


def list_audit(*, org_id: UUID | None, limit: int, session: Session) -> Sequence[AuditRow]:
    """Return the newest audit rows, newest first."""
    statement = select(AuditRow).order_by(col(AuditRow.recorded_at).desc(), col(AuditRow.sequence).desc()).limit(limit)
    if org_id:
        statement = statement.where(AuditRow.org_id == org_id)
    return session.exec(statement).all()


def organizations_with_audit(*, session: Session) -> Sequence[tuple[UUID, str]]:
    """Return id and slug of every organisation that has a chain."""
    statement = (
        select(Organization.id, Organization.slug)
        .join(AuditChainHead, col(AuditChainHead.org_id) == Organization.id)
        .order_by(Organization.slug)
    )
    return session.exec(statement).all()


def verify_chain(org_id: UUID, *, session: Session) -> tuple[int, ChainFault | None]:
    """Check an organisation's whole chain; return how many rows hold and the first fault."""
    # Shared: no writer moves the head between reading the rows and comparing with it.
    head = session.exec(
        select(AuditChainHead).where(AuditChainHead.org_id == org_id).with_for_update(read=True)
    ).first()
    reader = ChainReader()
    for row in _rows_in_order(org_id, session=session):
        link = AuditLink.model_validate(row.model_dump(exclude={"row_hash"}))
        if fault := reader.read(link, row.row_hash):
            return reader.sequence, fault
    head_at = (head.sequence, head.row_hash) if head else (0, GENESIS_HASH)
    return reader.sequence, reader.end(sequence=head_at[0], row_hash=head_at[1])


def _rows_in_order(org_id: UUID, *, session: Session) -> Iterator[AuditRow]:
    statement = select(AuditRow).where(AuditRow.org_id == org_id).order_by(col(AuditRow.sequence))
    return iter(session.exec(statement.execution_options(yield_per=_READ_AT_ONCE)))
