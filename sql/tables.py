"""The columns of every table; constraints, indexes and row level security live in the migrations."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel, col

from maos.actions import JsonObject

_MONEY = Numeric(18, 8)
_TIME = DateTime(timezone=True)


def utc_now() -> datetime:
    """Return the time as the tables keep it: aware, in UTC."""
    return datetime.now(UTC)


class Organization(SQLModel, table=True):
    """A tenant."""

    __tablename__ = "organizations"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    slug: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    status: str = Field(default="active", sa_type=Text)
    autonomy: str = Field(default="semi_autonomous", sa_type=Text)
    read_only_exempt: bool = False
    timezone: str = Field(default="UTC", sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    suspended_by: str | None = Field(default=None, sa_type=Text)
    suspended_at: datetime | None = Field(default=None, sa_type=_TIME)
    suspended_because: str | None = Field(default=None, sa_type=Text)


class User(SQLModel, table=True):
    """A person, who may belong to several organisations."""

    __tablename__ = "users"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    email: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)


class UserOrganization(SQLModel, table=True):
    """A role of a person in an organisation."""

    __tablename__ = "user_organizations"

    org_id: UUID = Field(primary_key=True)
    user_id: UUID = Field(primary_key=True)
    role: str = Field(primary_key=True, sa_type=Text)
    granted_by: str | None = Field(default=None, sa_type=Text)
    granted_at: datetime | None = Field(default=None, sa_type=_TIME)


class OrchestratorRun(SQLModel, table=True):
    """A run; its id is the Prefect flow run's."""

    __tablename__ = "orchestrator_runs"

    id: UUID = Field(primary_key=True)
    org_id: UUID
    title: str = Field(sa_type=Text)
    initiator_type: str = Field(sa_type=Text)
    initiator_id: str = Field(sa_type=Text)
    entrypoint: str = Field(sa_type=Text)
    origin_type: str = Field(sa_type=Text)
    origin_id: UUID | None = None
    plan: JsonObject = Field(sa_type=JSONB)
    plan_digest: str = Field(sa_type=Text)
    rules_digest: str = Field(sa_type=Text)
    code_version: str = Field(sa_type=Text)
    prompt_inputs: JsonObject = Field(sa_type=JSONB)
    autonomy: str = Field(sa_type=Text)
    rehearsal: bool
    status: str = Field(sa_type=Text)
    attempt: int = 1
    gate_round: int = 1
    gate_refusal: str | None = Field(default=None, sa_type=Text)
    gate_kind: str = Field(default="approvals", sa_type=Text)
    gate_shown: JsonObject = Field(default_factory=dict, sa_type=JSONB)
    epoch: int = 0
    lease_expires_at: datetime | None = Field(default=None, sa_type=_TIME)
    recoveries: int = 0
    held_by: str | None = Field(default=None, sa_type=Text)
    held_at: datetime | None = Field(default=None, sa_type=_TIME)
    paused_at: datetime | None = Field(default=None, sa_type=_TIME)
    waited_seconds: float = 0.0
    pins: JsonObject = Field(default_factory=dict, sa_type=JSONB)
    parent_run_id: UUID | None = None
    budget_cap_usd: Decimal | None = Field(default=None, sa_type=_MONEY)
    team: str | None = Field(default=None, sa_type=Text)
    # None as SQL NULL: JSONB would otherwise store the JSON value null.
    result: JsonObject | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    error_summary: str | None = Field(default=None, sa_type=Text)
    started_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    completed_at: datetime | None = Field(default=None, sa_type=_TIME)


class AgentInvocation(SQLModel, table=True):
    """One attempt of one step."""

    __tablename__ = "agent_invocations"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    run_id: UUID
    step_id: str = Field(sa_type=Text)
    attempt: int
    run_attempt: int = 1
    reused_from: UUID | None = None
    agent_name: str = Field(sa_type=Text)
    engine_type: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    approval_id: UUID | None = None
    # None of these three: no engine was called.
    digest: str | None = Field(default=None, sa_type=Text)
    rules_version: str | None = Field(default=None, sa_type=Text)
    policy_version: int | None = None
    task_run_id: UUID | None = None
    rehearsal: bool
    input_summary: str = Field(sa_type=Text)
    output_summary: str | None = Field(default=None, sa_type=Text)
    output: JsonObject | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    artifacts: list[JsonObject] = Field(default_factory=list, sa_type=JSONB)
    input_tokens: int = Field(default=0, sa_type=BigInteger)
    output_tokens: int = Field(default=0, sa_type=BigInteger)
    cache_read_tokens: int = Field(default=0, sa_type=BigInteger)
    cache_write_tokens: int = Field(default=0, sa_type=BigInteger)
    token_cost_estimate: Decimal = Field(default=Decimal(0), sa_type=_MONEY)
    cost_usd: Decimal = Field(default=Decimal(0), sa_type=_MONEY)
    status: str = Field(default="running", sa_type=Text)
    error_kind: str | None = Field(default=None, sa_type=Text)
    error_summary: str | None = Field(default=None, sa_type=Text)
    started_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    completed_at: datetime | None = Field(default=None, sa_type=_TIME)
    retry_at: datetime | None = Field(default=None, sa_type=_TIME)

    @property
    def tokens(self) -> int:
        """Tokens of all kinds that it has taken."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


# The same, in a query.
TOKENS = (
    col(AgentInvocation.input_tokens)
    + AgentInvocation.output_tokens
    + AgentInvocation.cache_read_tokens
    + AgentInvocation.cache_write_tokens
)


class InvocationVendorDetail(SQLModel, table=True):
    """What only operators may know of an invocation: vendor, model, raw usage."""

    __tablename__ = "invocation_vendor_details"

    invocation_id: UUID = Field(primary_key=True)
    org_id: UUID
    model: str | None = Field(default=None, sa_type=Text)
    request_id: str | None = Field(default=None, sa_type=Text)
    raw_usage: JsonObject | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    price_snapshot: str | None = Field(default=None, sa_type=Text)
    list_cost_usd: Decimal | None = Field(default=None, sa_type=_MONEY)
    error_detail: str | None = Field(default=None, sa_type=Text)


class PlanRevision(SQLModel, table=True):
    """A plan as one revision of it was; the newest also stands on the run."""

    __tablename__ = "plan_revisions"

    org_id: UUID
    run_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    plan: JsonObject = Field(sa_type=JSONB)
    plan_digest: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    proposed_by: str | None = Field(default=None, sa_type=Text)
    recorded_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)


class EffectRow(SQLModel, table=True):
    """What a step does to the world outside: written before it is done, settled after it."""

    __tablename__ = "effects"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    run_id: UUID
    step_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    idempotency_key: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    status: str = Field(default="intended", sa_type=Text)
    intentions: int = 1
    confirmed_by: str | None = Field(default=None, sa_type=Text)
    intended_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    settled_at: datetime | None = Field(default=None, sa_type=_TIME)


class UsageEntry(SQLModel, table=True):
    """A movement of money: reserved before a call, settled or released after it, corrected later."""

    __tablename__ = "usage_entries"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    run_id: UUID
    invocation_id: UUID
    kind: str = Field(sa_type=Text)
    number: int = 1
    amount_usd: Decimal = Field(sa_type=_MONEY)
    price_list: str | None = Field(default=None, sa_type=Text)
    holds: list[JsonObject] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    recorded_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    # The database fills these in as a settled or correcting entry is added: what it is billed as, and when.
    billing_month: date | None = None
    corrects_month: date | None = None
    engine: str | None = Field(default=None, sa_type=Text)
    action: str | None = Field(default=None, sa_type=Text)
    unit: str | None = Field(default=None, sa_type=Text)
    quantity: int | None = Field(default=None, sa_type=BigInteger)
