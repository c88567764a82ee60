"""The columns of the table of workflows; constraints and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlmodel import Field, SQLModel

from sql.tables import utc_now

_TIME = DateTime(timezone=True)


class DeepAgentWorkflow(SQLModel, table=True):
    """A version of a workflow; what it says is only added, how it stands is kept."""

    __tablename__ = "deep_agent_workflows"

    org_id: UUID = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    title: str = Field(sa_type=Text)
    document: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    registered_by: str = Field(sa_type=Text)
    registered_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    disabled_by: str | None = Field(default=None, sa_type=Text)
    disabled_at: datetime | None = Field(default=None, sa_type=_TIME)
    # Kept by the database, whoever changes the status of a run.
    last_run_id: UUID | None = None
    last_run_at: datetime | None = Field(default=None, sa_type=_TIME)
    last_status: str | None = Field(default=None, sa_type=Text)
