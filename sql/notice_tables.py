"""The columns of the tables of notices; constraints, indexes and row level security live in the migrations."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import Date, DateTime, SmallInteger, Text
from sqlmodel import Field, SQLModel

from sql.tables import utc_now

_TIME = DateTime(timezone=True)


class NoticeRoute(SQLModel, table=True):
    """By which way, and from which risk on, a person or a role is told."""

    __tablename__ = "notice_routes"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    role: str | None = Field(default=None, sa_type=Text)
    user_id: UUID | None = None
    minimum_risk: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    target: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)


class ApprovalNotice(SQLModel, table=True):
    """Something of an approval or a budget that somebody is to be told: when next it is tried, what became of it."""

    __tablename__ = "approval_notices"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    kind: str = Field(sa_type=Text)
    # Of an approval:
    approval_id: UUID | None = None
    revision: int | None = None
    stage: int | None = None
    escalated: bool | None = None
    reminder: int | None = None
    # Of a threshold:
    budget_id: UUID | None = None
    period_start: date | None = Field(default=None, sa_type=Date)
    percent: int | None = Field(default=None, sa_type=SmallInteger)
    channel: str = Field(sa_type=Text)
    address: str = Field(sa_type=Text)
    user_id: UUID | None = None
    urgent: bool
    created_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    due_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    attempts: int = 0
    sent_at: datetime | None = Field(default=None, sa_type=_TIME)
    dropped_at: datetime | None = Field(default=None, sa_type=_TIME)
    error: str | None = Field(default=None, sa_type=Text)
