"""The columns of what agents share; constraints and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlmodel import Field, SQLModel

from sql.tables import utc_now


class SharedMemory(SQLModel, table=True):
    """What an agent has noted for all agents of its run."""

    __tablename__ = "agent_shared_memory"

    org_id: UUID
    run_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)
    written_by: str = Field(sa_type=Text)
    version: int = 1
    written_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))
