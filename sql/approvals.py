"""Rows of `agent_pending_actions` and of the votes on them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, text, update
from sqlmodel import Session, col, select

from maos.approvals import Approval, DecisionRequest
from maos.statuses import ApprovalStatus
from sql.tables import AgentActionVote, AgentPendingAction, Organization, utc_now


def approval_of(row: AgentPendingAction) -> Approval:
    """Return the row as the rules read it."""
    return Approval.model_validate({**row.model_dump(), "engine": row.engine_type, "initiator": row.initiator_id})


def newest_approvals(run_id: UUID, *, session: Session) -> dict[str, Approval]:
    """Return the newest approval of each step of a run."""
    statement = (
        select(AgentPendingAction)
        .where(AgentPendingAction.run_id == run_id)
        .distinct(col(AgentPendingAction.step_id))
        .order_by(col(AgentPendingAction.step_id), col(AgentPendingAction.started_at).desc())
    )
    return {row.step_id: approval_of(row) for row in session.exec(statement)}


def find_approval(approval_id: UUID, *, session: Session) -> Approval | None:
    """Return one approval."""
    row = session.exec(select(AgentPendingAction).where(AgentPendingAction.id == approval_id)).first()
    return approval_of(row) if row else None


def decide_pending(approval: Approval, request: DecisionRequest, *, verified: bool, session: Session) -> bool:
    """Decide the approval if it is still pending; of any number of callers one is told True.

    The one statement by which an approval is ever decided by a person.
    """
    decided = session.execute(
        update(AgentPendingAction)
        .where(
            col(AgentPendingAction.id) == approval.id,
            col(AgentPendingAction.status) == ApprovalStatus.PENDING,
            col(AgentPendingAction.expires_at) > func.now(),
        )
        .values(
            status=request.decision.status,
            decided_by=request.reviewer,
            decided_via=request.via,
            decided_at=utc_now(),
            identity_verified=verified,
            note=request.note,
            choice=request.choice,
            version=AgentPendingAction.version + 1,
        )
        .returning(col(AgentPendingAction.id))
    )
    return decided.first() is not None


def add_vote(approval: Approval, user_id: UUID, request: DecisionRequest, *, verified: bool, session: Session) -> None:
    """Record who decided what; a person has one vote."""
    session.add(
        AgentActionVote(
            org_id=approval.org_id,
            approval_id=approval.id,
            user_id=user_id,
            decision=request.decision,
            via=request.via,
            identity_verified=verified,
            note=request.note,
        )
    )


def consume(approval_id: UUID, digest: str, *, session: Session) -> bool:
    """Use an approval up, if it is approved for exactly this digest and not out of date; True for one caller.

    An attempt that died after consuming it may consume it again: the step it covers is still not completed.
    """
    consumed = session.execute(
        update(AgentPendingAction)
        .where(
            col(AgentPendingAction.id) == approval_id,
            col(AgentPendingAction.status) == ApprovalStatus.APPROVED,
            col(AgentPendingAction.digest) == digest,
            col(AgentPendingAction.expires_at) > func.now(),
        )
        .values(consumed_at=utc_now(), version=AgentPendingAction.version + 1)
        .returning(col(AgentPendingAction.id))
    )
    return consumed.first() is not None


def cancel_pending(run_id: UUID, reason: str, *, session: Session) -> None:
    """Withdraw the undecided approvals of a run that has ended."""
    session.execute(
        update(AgentPendingAction)
        .where(col(AgentPendingAction.run_id) == run_id, col(AgentPendingAction.status) == ApprovalStatus.PENDING)
        .values(
            status=ApprovalStatus.CANCELLED,
            decided_by="maos",
            decided_via="system",
            decided_at=utc_now(),
            note=reason,
            version=AgentPendingAction.version + 1,
        )
    )


def expire_due(run_id: UUID, *, session: Session) -> list[Approval]:
    """End the undecided approvals of a run whose time has passed; return them."""
    expired = session.scalars(
        update(AgentPendingAction)
        .where(
            col(AgentPendingAction.run_id) == run_id,
            col(AgentPendingAction.status) == ApprovalStatus.PENDING,
            col(AgentPendingAction.expires_at) <= func.now(),
        )
        .values(
            status=ApprovalStatus.EXPIRED,
            decided_by="maos",
            decided_via="system",
            decided_at=utc_now(),
            version=AgentPendingAction.version + 1,
        )
        .returning(AgentPendingAction)
    )
    return [approval_of(row) for row in expired]


def supersede(approval_id: UUID, *, session: Session) -> None:
    """Void an approval that does not cover what would run; who gave it stays on record."""
    session.execute(
        update(AgentPendingAction)
        .where(col(AgentPendingAction.id) == approval_id, col(AgentPendingAction.status) == ApprovalStatus.APPROVED)
        .values(status=ApprovalStatus.CANCELLED, version=AgentPendingAction.version + 1)
    )


def list_approvals(
    *, org_id: UUID | None, status: ApprovalStatus | None, limit: int, session: Session
) -> Sequence[tuple[AgentPendingAction, str]]:
    """Return approvals with the slug of their organisation, the oldest first."""
    statement = (
        select(AgentPendingAction, Organization.slug)
        .join(Organization, col(Organization.id) == AgentPendingAction.org_id)
        .order_by(col(AgentPendingAction.started_at), col(AgentPendingAction.id))
        .limit(limit)
    )
    if org_id:
        statement = statement.where(AgentPendingAction.org_id == org_id)
    if status:
        statement = statement.where(AgentPendingAction.status == status)
    return session.exec(statement).all()


def approval_ids_like(prefix: str, *, session: Session) -> Sequence[UUID]:
    """Return at most two ids that begin with the prefix: enough to say whether it is unique."""
    matches = func.starts_with(text("agent_pending_actions.id::text"), prefix)
    return session.exec(select(AgentPendingAction.id).where(matches).limit(2)).all()


def approval_row(approval_id: UUID, *, session: Session) -> AgentPendingAction:
    """Return the row of an approval that exists."""
    return session.exec(select(AgentPendingAction).where(AgentPendingAction.id == approval_id)).one()


def approvals_of_run(run_id: UUID, *, session: Session) -> Sequence[AgentPendingAction]:
    """Return every approval of a run, the oldest first."""
    statement = (
        select(AgentPendingAction)
        .where(AgentPendingAction.run_id == run_id)
        .order_by(col(AgentPendingAction.started_at), col(AgentPendingAction.id))
    )
    return session.exec(statement).all()
