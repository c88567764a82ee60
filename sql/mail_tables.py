"""The columns of the table of messages; constraints, indexes and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from maos.actions import JsonObject
from sql.tables import utc_now

_TIME = DateTime(timezone=True)


class MailMessage(SQLModel, table=True):
    """A message that a run has taken from a mailbox."""

    __tablename__ = "mail_messages"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    mailbox: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    rehearsal: bool
    run_id: UUID
    number: int
    status: str = Field(default="claimed", sa_type=Text)
    claims: int = 1
    message_id: str | None = Field(default=None, sa_type=Text)
    thread: str | None = Field(default=None, sa_type=Text)
    fingerprint: str | None = Field(default=None, sa_type=Text)
    sender: str | None = Field(default=None, sa_type=Text)
    subject: str | None = Field(default=None, sa_type=Text)
    kind: str | None = Field(default=None, sa_type=Text)
    faults: list[JsonObject] = Field(default_factory=list, sa_type=JSONB)
    outcome: str | None = Field(default=None, sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    claimed_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    settled_at: datetime | None = Field(default=None, sa_type=_TIME)
    flagged_at: datetime | None = Field(default=None, sa_type=_TIME)
