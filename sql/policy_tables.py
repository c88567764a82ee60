"""The columns of the tables of policies; constraints and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlmodel import Field, SQLModel

from sql.tables import utc_now


class OrganizationPolicy(SQLModel, table=True):
    """A version of an organisation's policy; versions are only added."""

    __tablename__ = "organization_policies"

    org_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    document: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    # Empty: the document says nothing of it.
    read_only_exempt: bool | None = None
    reason: str = Field(sa_type=Text)
    stored_by: str = Field(sa_type=Text)
    stored_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))
