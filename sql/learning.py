"""How actions that are alike were decided, and what became of them: counted over real runs, never over rehearsals."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, or_
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from maos.approvals import ApprovalKind, Decision, DecisionPath
from maos.failures import FailureKind
from maos.learning import Likeness, TrackRecord
from maos.statuses import InvocationStatus
from sql.approval_tables import AgentActionVote, AgentPendingAction
from sql.learning_tables import ApprovalLikeness, ApprovalRollback
from sql.tables import AgentInvocation, OrchestratorRun, User

_AT_ONCE = (DecisionPath.BULK, DecisionPath.PLAN)
_KEY = (
    col(ApprovalLikeness.team),
    col(ApprovalLikeness.action),
    col(ApprovalLikeness.shape),
    col(ApprovalLikeness.shape_version),
    col(ApprovalLikeness.risk),
)
_NAMES = ("team", "action", "shape", "shape_version", "risk")


def add_likeness(
    approval_id: UUID, likeness: Likeness, *, org_id: UUID, exemption_id: UUID | None, session: Session
) -> None:
    """Write what an approval is an example of."""
    fields = likeness.model_dump()
    session.add(ApprovalLikeness(approval_id=approval_id, org_id=org_id, exemption_id=exemption_id, **fields))
    session.flush()


def lesson_of(approval_id: UUID, *, session: Session) -> Likeness | None:
    """Return what an approval is an example of; a rehearsal is an example of nothing."""
    statement = (
        columns(*_KEY)
        .join(AgentPendingAction, col(AgentPendingAction.id) == ApprovalLikeness.approval_id)
        .join(OrchestratorRun, col(OrchestratorRun.id) == AgentPendingAction.run_id)
        .where(col(ApprovalLikeness.approval_id) == approval_id, col(OrchestratorRun.rehearsal).is_(False))
    )
    row = session.execute(statement).first()
    return _likeness(row) if row else None


def records_since(org_id: UUID, since: datetime, *, session: Session) -> dict[Likeness, TrackRecord]:
    """Return how actions were decided that were asked about since a time, by what they have in common."""
    people = _people_since(org_id, since, session=session)
    single = ~_at_once()
    statement = _decided(org_id, since, *_KEY).add_columns(
        func.count().filter(_by_a_person(), or_(~_approved(), single)),
        func.count().filter(_by_a_person(), _approved(), single),
        func.count().filter(_by_a_person(), _approved(), _at_once()),
        func.count().filter(or_(_failed_for_good(), _marked_as_wrong())),
    )
    found = {}
    for row in session.execute(statement.group_by(*_KEY).order_by(*_KEY)):
        key, (decisions, approvals, at_once, rollbacks) = _likeness(row), row[len(_KEY) :]
        found[key] = TrackRecord(
            decisions=decisions,
            approvals=approvals,
            by_person=people.get(key, {}),
            at_once=at_once,
            rollbacks=rollbacks,
        )
    return found


def _people_since(org_id: UUID, since: datetime, *, session: Session) -> Mapping[Likeness, Mapping[str, int]]:
    """Return on how many of the decisions that count each person has voted."""
    statement = (
        _decided(org_id, since, *_KEY, col(User.email), func.count(col(AgentPendingAction.id).distinct()))
        .join(AgentActionVote, col(AgentActionVote.approval_id) == AgentPendingAction.id)
        .join(User, col(User.id) == AgentActionVote.user_id)
        .where(_by_a_person(), or_(~_approved(), ~_at_once()), col(AgentActionVote.via).not_in(_AT_ONCE))
        .group_by(*_KEY, col(User.email))
    )
    found: defaultdict[Likeness, dict[str, int]] = defaultdict(dict)
    for row in session.execute(statement):
        found[_likeness(row)][row.email] = row[-1]
    return found


# Any: several columns of several types.
def _decided(org_id: UUID, since: datetime, *wanted: Any) -> Select[Any]:
    return (
        columns(*wanted)
        .select_from(ApprovalLikeness)
        .join(AgentPendingAction, col(AgentPendingAction.id) == ApprovalLikeness.approval_id)
        .join(OrchestratorRun, col(OrchestratorRun.id) == AgentPendingAction.run_id)
        .where(
            col(ApprovalLikeness.org_id) == org_id,
            col(AgentPendingAction.started_at) >= since,
            col(AgentPendingAction.kind) == ApprovalKind.ACTION,
            col(OrchestratorRun.rehearsal).is_(False),
        )
    )


def _by_a_person() -> ColumnElement[bool]:
    return col(AgentPendingAction.decision).is_not(None) & col(ApprovalLikeness.exemption_id).is_(None)


def _approved() -> ColumnElement[bool]:
    # Just as it was asked: an edit says that it was not right.
    return col(AgentPendingAction.decision) == Decision.APPROVE


def _at_once() -> ColumnElement[bool]:
    return col(AgentPendingAction.decided_via).in_(_AT_ONCE)


def _marked_as_wrong() -> ColumnElement[bool]:
    return exists().where(col(ApprovalRollback.approval_id) == AgentPendingAction.id)


def _failed_for_good() -> ColumnElement[bool]:
    """Say whether an approved action was left in doubt, or its last attempt failed."""
    attempt, later = aliased(AgentInvocation), aliased(AgentInvocation)
    own = (col(attempt.org_id) == AgentPendingAction.org_id) & (col(attempt.approval_id) == AgentPendingAction.id)
    has_later = exists().where(
        col(later.org_id) == attempt.org_id,
        col(later.approval_id) == attempt.approval_id,
        col(later.attempt) > attempt.attempt,
    )
    failed = (
        (col(attempt.status) == InvocationStatus.FAILED)
        # The end of a process is no verdict on the action.
        & (col(attempt.error_kind) != FailureKind.PROCESS_DIED)
        & ~has_later
    )
    return exists().where(own, or_(col(attempt.status) == InvocationStatus.IN_DOUBT, failed))


def _likeness(row: Sequence[Any]) -> Likeness:
    return Likeness.model_validate(dict(zip(_NAMES, row, strict=False)))


def add_rollback(approval_id: UUID, *, org_id: UUID, marked_by: str, note: str, session: Session) -> None:
    """Mark an approved action as wrong."""
    session.add(ApprovalRollback(approval_id=approval_id, org_id=org_id, marked_by=marked_by, note=note))
    session.flush()


def find_rollback(approval_id: UUID, *, session: Session) -> ApprovalRollback | None:
    """Return what marks an approval as wrong."""
    return session.exec(select(ApprovalRollback).where(ApprovalRollback.approval_id == approval_id)).first()
