"""The columns of the audit log; constraints and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text
from sqlmodel import Field, SQLModel


class AuditChainHead(SQLModel, table=True):
    """The newest link of an organisation's audit chain; its lock orders the writers."""

    __tablename__ = "audit_chain_heads"

    org_id: UUID = Field(primary_key=True)
    sequence: int = Field(default=0, sa_type=BigInteger)
    row_hash: str = Field(sa_type=Text)
    # None: the newest row is of a release before it was kept.
    recorded_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class AuditRow(SQLModel, table=True):
    """One link of an organisation's audit chain."""

    __tablename__ = "agent_action_audit_log"

    org_id: UUID = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    recorded_at: datetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    event: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    run_id: UUID | None = None
    step_id: str | None = Field(default=None, sa_type=Text)
    action: str | None = Field(default=None, sa_type=Text)
    risk: str | None = Field(default=None, sa_type=Text)
    was_automatic: bool
    approval_id: UUID | None = None
    digest: str | None = Field(default=None, sa_type=Text)
    success: bool
    summary: str = Field(sa_type=Text)
    rules_version: str | None = Field(default=None, sa_type=Text)
    policy_version: int | None = None
    error: str | None = Field(default=None, sa_type=Text)
    result_digest: str | None = Field(default=None, sa_type=Text)
    chain_version: int | None = None
    summary_digest: str | None = Field(default=None, sa_type=Text)
    summary_salt: str | None = Field(default=None, sa_type=Text)
    previous_hash: str = Field(sa_type=Text)
    row_hash: str = Field(sa_type=Text)
