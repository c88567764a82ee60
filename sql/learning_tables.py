"""The columns of the tables about learning; constraints, indexes and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from maos.actions import JsonObject
from sql.tables import utc_now

_TIME = DateTime(timezone=True)


class ApprovalExemption(SQLModel, table=True):
    """Actions that need not be asked about: proposed, signed by a person, withdrawn."""

    __tablename__ = "approval_exemptions"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    team: str | None = Field(default=None, sa_type=Text)
    action: str = Field(sa_type=Text)
    shape: str = Field(sa_type=Text)
    shape_version: int
    risk: str = Field(sa_type=Text)
    approval_id: UUID
    based_on: JsonObject = Field(sa_type=JSONB)
    proposed_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    signed_by: str | None = Field(default=None, sa_type=Text)
    signed_at: datetime | None = Field(default=None, sa_type=_TIME)
    withdrawn_at: datetime | None = Field(default=None, sa_type=_TIME)
    withdrawn_reason: str | None = Field(default=None, sa_type=Text)


class ApprovalLikeness(SQLModel, table=True):
    """What an approval is an example of, and which exemption answered it, if one did."""

    __tablename__ = "approval_likenesses"

    approval_id: UUID = Field(primary_key=True)
    org_id: UUID
    team: str | None = Field(default=None, sa_type=Text)
    action: str = Field(sa_type=Text)
    shape: str = Field(sa_type=Text)
    shape_version: int
    risk: str = Field(sa_type=Text)
    exemption_id: UUID | None = None


class ApprovalRollback(SQLModel, table=True):
    """An approved action that a person has marked as wrong."""

    __tablename__ = "approval_rollbacks"

    approval_id: UUID = Field(primary_key=True)
    org_id: UUID
    marked_by: str = Field(sa_type=Text)
    note: str = Field(sa_type=Text)
    marked_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
