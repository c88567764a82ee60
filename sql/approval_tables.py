"""The columns of the tables of approvals; constraints, indexes and row level security live in the migrations."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from maos.actions import JsonObject
from sql.tables import utc_now

_MONEY = Numeric(18, 8)
_TIME = DateTime(timezone=True)


class AgentPendingAction(SQLModel, table=True):
    """An approval: what would happen, who decides until when, and the decision."""

    __tablename__ = "agent_pending_actions"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    run_id: UUID | None = None
    step_id: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    engine_type: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    preview: str = Field(sa_type=Text)
    payload: JsonObject = Field(sa_type=JSONB)
    digest: str = Field(sa_type=Text)
    risk: str = Field(sa_type=Text)
    cost_ceiling_usd: Decimal = Field(sa_type=_MONEY)
    policy: JsonObject = Field(sa_type=JSONB)
    approvals_required: int = 1
    initiator_id: str = Field(sa_type=Text)
    started_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    expires_at: datetime = Field(sa_type=_TIME)
    outcome_on_expiry: str = Field(default="reject", sa_type=Text)
    status: str = Field(default="pending", sa_type=Text)
    decided_by: str | None = Field(default=None, sa_type=Text)
    decided_via: str | None = Field(default=None, sa_type=Text)
    decided_at: datetime | None = Field(default=None, sa_type=_TIME)
    identity_verified: bool | None = None
    note: str | None = Field(default=None, sa_type=Text)
    consumed_at: datetime | None = Field(default=None, sa_type=_TIME)
    version: int = 1
    kind: str = Field(default="action", sa_type=Text)
    choice: str | None = Field(default=None, sa_type=Text)
    acting_for: list[str] = Field(default_factory=list, sa_type=JSONB)
    caller: str | None = Field(default=None, sa_type=Text)
    revision: int = 1
    stage: int = 0
    escalated: bool = False
    # None as SQL NULL: JSONB would otherwise store the JSON value null.
    edited: JsonObject | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    decision: str | None = Field(default=None, sa_type=Text)
    granted_by: UUID | None = None
    remind_at: datetime | None = Field(default=None, sa_type=_TIME)
    reminders_sent: int = 0


class AgentActionVote(SQLModel, table=True):
    """One person's vote on one payload of an approval."""

    __tablename__ = "agent_action_votes"

    org_id: UUID
    approval_id: UUID = Field(primary_key=True)
    user_id: UUID = Field(primary_key=True)
    revision: int = Field(default=1, primary_key=True)
    stage: int = 0
    seat: int = 0
    digest: str | None = Field(default=None, sa_type=Text)
    decision: str = Field(sa_type=Text)
    via: str = Field(sa_type=Text)
    identity_verified: bool
    note: str | None = Field(default=None, sa_type=Text)
    voted_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)


class AgentActionEdit(SQLModel, table=True):
    """A reviewer's edit of an approval's parameters: as they were shown, and as they became."""

    __tablename__ = "agent_action_edits"

    org_id: UUID
    approval_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    before: JsonObject = Field(sa_type=JSONB)
    after: JsonObject = Field(sa_type=JSONB)
    digest_before: str = Field(sa_type=Text)
    digest_after: str = Field(sa_type=Text)
    edited_by: str = Field(sa_type=Text)
    edited_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
