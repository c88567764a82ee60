"""The columns of the tables of retention; constraints and row level security live in the migrations."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Text
from sqlmodel import Field, SQLModel

from sql.tables import utc_now

_TIME = DateTime(timezone=True)


class AuditRetention(SQLModel, table=True):
    """How many months an organisation's audit rows stay in the log, as one version says."""

    __tablename__ = "audit_retentions"

    org_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    # None: for ever.
    months: int | None = None
    set_by: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    set_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)


class LegalHold(SQLModel, table=True):
    """Why nothing of an organisation may be removed, until somebody says that it may."""

    __tablename__ = "legal_holds"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    reason: str = Field(sa_type=Text)
    placed_by: str = Field(sa_type=Text)
    placed_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    released_by: str | None = Field(default=None, sa_type=Text)
    release_reason: str | None = Field(default=None, sa_type=Text)
    released_at: datetime | None = Field(default=None, sa_type=_TIME)


class AuditArchive(SQLModel, table=True):
    """A stretch of an organisation's audit chain that has left the log, and the file that holds it."""

    __tablename__ = "audit_archives"

    org_id: UUID = Field(primary_key=True)
    month: date
    first_sequence: int = Field(sa_type=BigInteger)
    last_sequence: int = Field(primary_key=True, sa_type=BigInteger)
    previous_hash: str = Field(sa_type=Text)
    last_hash: str = Field(sa_type=Text)
    detached_at: datetime = Field(sa_type=_TIME)
    file: str | None = Field(default=None, sa_type=Text)
    sha256: str | None = Field(default=None, sa_type=Text)
    exported_at: datetime | None = Field(default=None, sa_type=_TIME)
    dropped_at: datetime | None = Field(default=None, sa_type=_TIME)
