"""The rows of a month that was taken out of the audit log, as it was in the log."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

from sqlalchemy import MetaData
from sqlmodel import Session, SQLModel

from maos.audit import Document
from sql.audit import documents
from sql.audit_tables import AuditRow

_LOG = SQLModel.metadata.tables[str(AuditRow.__tablename__)]


def documents_of_month(month: date, org_id: UUID, *, session: Session) -> Iterator[tuple[Document, str]]:
    """Yield an organisation's rows of a month as they are hashed, each with its hash, in their order."""
    table = _LOG.to_metadata(MetaData(), name=f"{_LOG.name}_{month:%Y_%m}")
    return documents(org_id, table=table, session=session)
