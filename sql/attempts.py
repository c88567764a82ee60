"""The two writes of an attempt, its begin and its end, and what it must know before: what every step sends."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, column, insert, select, table, update
from sqlmodel import Session, SQLModel

from maos.actions import JsonObject
from maos.approvals import Approval
from maos.organizations import OrganizationStatus
from maos.statuses import InvocationStatus
from sql.approval_tables import AgentPendingAction
from sql.approvals import approval_of
from sql.pipelines import Order, Rows, Worded
from sql.tables import AgentInvocation, Organization, utc_now
from sql.trips import send_later, unattached

_INVOCATIONS, _APPROVALS, _ORGANIZATIONS = (
    SQLModel.metadata.tables[str(each.__tablename__)] for each in (AgentInvocation, AgentPendingAction, Organization)
)
_STATUS = Worded(select(_ORGANIZATIONS.c.status).where(_ORGANIZATIONS.c.id == bindparam("org_id")))
_LAST = Worded(
    select(_INVOCATIONS.c.attempt, _INVOCATIONS.c.status)
    .where(_INVOCATIONS.c.run_id == bindparam("run_id"), _INVOCATIONS.c.step_id == bindparam("step_id"))
    .order_by(_INVOCATIONS.c.attempt.desc())
    .limit(1)
)
_ASKED = Worded(
    select(_APPROVALS)
    .where(_APPROVALS.c.run_id == bindparam("run_id"), _APPROVALS.c.step_id == bindparam("step_id"))
    .order_by(_APPROVALS.c.started_at.desc())
    .limit(1)
)


class Standing(NamedTuple):
    """What decides whether a step may begin, and how often it has."""

    active: bool
    attempts: int
    in_doubt: bool
    approval: Approval | None


def asking_for_standing(run_id: UUID, step_id: str, *, org_id: UUID) -> tuple[Order, ...]:
    """Return what is to be asked of where a step of a run stands."""
    key = {"run_id": run_id, "step_id": step_id}
    return _STATUS.of(org_id=org_id), _LAST.of(**key), _ASKED.of(**key)


def standing_of(answers: Sequence[Rows]) -> Standing:
    """Return where a step stands by the answers: its organisation, its newest attempt and its newest approval."""
    organization, last, asked = answers
    attempts, status = last[0] if last else (0, None)
    found = (unattached(AgentPendingAction, dict(zip(_APPROVALS.c.keys(), row, strict=True))) for row in asked)
    return Standing(
        active=organization == [(OrganizationStatus.ACTIVE,)],
        attempts=attempts,
        in_doubt=status == InvocationStatus.IN_DOUBT,
        approval=next(map(approval_of, found), None),
    )


@dataclass(frozen=True)
class Begin:
    """An attempt as it begins: columns of `agent_invocations`; the others have what their defaults say."""

    id: UUID
    org_id: UUID
    run_id: UUID
    step_id: str
    attempt: int
    run_attempt: int
    agent_name: str
    engine_type: str
    action: str
    approval_id: UUID | None
    digest: str
    rules_version: str
    policy_version: int | None
    task_run_id: UUID | None
    rehearsal: bool
    input_summary: str
    token_cost_estimate: Decimal
    started_at: datetime
    status: InvocationStatus = InvocationStatus.RUNNING


@dataclass
class End:
    """An attempt as it ends."""

    status: InvocationStatus
    output: JsonObject | None = None
    output_summary: str | None = None
    artifacts: list[JsonObject] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    error_kind: str | None = None
    error_summary: str | None = None
    retry_at: datetime | None = None

    @property
    def tokens(self) -> int:
        """Tokens of all kinds that it has taken."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens


# Without the output: it may be large, and whoever writes it has it.
_RETURNED = [each for each in _INVOCATIONS.c if each.name != "output"]
_NAMES = [each.name for each in _RETURNED]
_BEGIN = Worded(insert(table(_INVOCATIONS.name, *[column(each.name) for each in fields(Begin)])))
_END = Worded(
    update(_INVOCATIONS)
    .where(_INVOCATIONS.c.id == bindparam("invocation"), _INVOCATIONS.c.status == InvocationStatus.RUNNING.value)
    .values({each.name: bindparam(each.name) for each in fields(End)} | {"completed_at": bindparam("completed_at")})
    .returning(*_RETURNED)
)


def begin(attempt: Begin, *, session: Session) -> AgentInvocation:
    """Write an attempt that begins; return its row."""
    send_later(_BEGIN.of(**vars(attempt)), session=session)
    return unattached(AgentInvocation, {**_defaults(), **vars(attempt)})


def ending(invocation_id: UUID, how: End) -> Order:
    """Return what writes how a running attempt ends."""
    values = vars(how) | {"output": _json(how.output), "artifacts": Jsonb(how.artifacts)}
    return _END.of(**values, completed_at=utc_now(), invocation=invocation_id)


def ended(answer: Rows, how: End) -> AgentInvocation | None:
    """Return the row of an attempt that has ended by the answer; None when it was not running any more."""
    return _row_of(answer[0], output=how.output) if answer else None


@lru_cache(maxsize=1)
def _defaults() -> dict[str, object]:
    begun = {each.name for each in fields(Begin)}
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in AgentInvocation.model_fields.items()
        if name not in begun
    }


# Any: columns of several types.
def _row_of(found: tuple[Any, ...], *, output: JsonObject | None) -> AgentInvocation:
    values = dict(zip(_NAMES, found, strict=True))
    return unattached(AgentInvocation, {**values, "output": output})


def _json(value: JsonObject | None) -> Jsonb | None:
    return None if value is None else Jsonb(value)
