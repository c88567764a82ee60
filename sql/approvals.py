"""Rows of `agent_pending_actions`: asked, decided once, used up once, expired, withdrawn."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, update
from sqlmodel import Session, col, select

from maos.actions import JsonObject
from maos.approvals import Approval, Decision
from maos.decisions import DecisionRequest
from maos.statuses import ApprovalStatus
from sql.approval_tables import AgentPendingAction
from sql.id_ranges import ids_like
from sql.tables import utc_now


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


def newest_approval(run_id: UUID, step_id: str, *, session: Session) -> Approval | None:
    """Return the newest approval of one step."""
    statement = (
        select(AgentPendingAction)
        .where(AgentPendingAction.run_id == run_id, AgentPendingAction.step_id == step_id)
        .order_by(col(AgentPendingAction.started_at).desc())
        .limit(1)
    )
    row = session.exec(statement).first()
    return approval_of(row) if row else None


def find_approval(approval_id: UUID, *, session: Session) -> Approval | None:
    """Return one approval."""
    row = session.exec(select(AgentPendingAction).where(AgentPendingAction.id == approval_id)).first()
    return approval_of(row) if row else None


def find_approvals(approval_ids: Collection[UUID], *, session: Session) -> list[Approval]:
    """Return those of the approvals that there are."""
    statement = select(AgentPendingAction).where(col(AgentPendingAction.id).in_(approval_ids))
    return [approval_of(row) for row in session.exec(statement)]


def database_time(*, session: Session) -> datetime:
    """Return the database's time, by which approvals expire."""
    # Not that of the transaction's begin: it may have waited for a lock since.
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


def lock_approvals(approval_ids: Collection[UUID], *, session: Session) -> dict[UUID, Approval]:
    """Return approvals that nobody else can change until the transaction ends, by id."""
    statement = select(AgentPendingAction).where(col(AgentPendingAction.id).in_(approval_ids))
    # In one order: two that lock several of the same would wait for each other.
    locked = session.exec(statement.order_by(col(AgentPendingAction.id)).with_for_update())
    return {row.id: approval_of(row) for row in locked}


def decide_pending(
    approval_ids: Collection[UUID],
    request: DecisionRequest,
    status: ApprovalStatus,
    *,
    verified: bool,
    session: Session,
) -> dict[UUID, Approval]:
    """Decide those of the approvals that are still pending; of any number of callers one is given each.

    The one statement by which an approval is ever decided by a person.
    """
    decided = session.execute(
        update(AgentPendingAction)
        .where(
            col(AgentPendingAction.id).in_(approval_ids),
            col(AgentPendingAction.status) == ApprovalStatus.PENDING,
            col(AgentPendingAction.expires_at) > func.clock_timestamp(),
        )
        .values(
            status=status,
            decision=request.decision,
            decided_by=request.reviewer,
            decided_via=request.via,
            decided_at=utc_now(),
            identity_verified=verified,
            note=request.note,
            choice=request.choice,
            version=AgentPendingAction.version + 1,
        )
        .returning(AgentPendingAction)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    return {row.id: approval_of(row) for row in decided.scalars()}


def open_stage(
    approval: Approval, stage: int, *, expires_at: datetime, remind_at: datetime | None, session: Session
) -> None:
    """Open the next stage of an approval, with a life of its own."""
    values = {"stage": stage, "escalated": False, "expires_at": expires_at}
    _update(approval.id, **values, remind_at=remind_at, reminders_sent=0, session=session)


def escalate(approval: Approval, *, expires_at: datetime, remind_at: datetime | None, session: Session) -> None:
    """Let those decide the open stage, too, to whom it is escalated, until a later time."""
    values = {"escalated": True, "expires_at": expires_at}
    _update(approval.id, **values, remind_at=remind_at, reminders_sent=0, session=session)


def expire(approval_ids: Collection[UUID], *, session: Session) -> None:
    """End approvals that nobody has decided in time."""
    session.execute(
        update(AgentPendingAction)
        .where(col(AgentPendingAction.id).in_(approval_ids), col(AgentPendingAction.status) == ApprovalStatus.PENDING)
        .values(
            status=ApprovalStatus.EXPIRED,
            decided_by="maos",
            decided_via="system",
            decided_at=utc_now(),
            version=AgentPendingAction.version + 1,
        )
    )


def edit(approval: Approval, changed: Approval, *, session: Session) -> None:
    """Put an edited payload in the place of the one that was shown."""
    _update(
        approval.id,
        revision=changed.revision,
        stage=changed.stage,
        escalated=changed.escalated,
        edited=changed.edited,
        payload=changed.payload,
        preview=changed.preview,
        digest=changed.digest,
        cost_ceiling_usd=changed.cost_ceiling_usd,
        session=session,
    )


def _update(approval_id: UUID, *, session: Session, **values: object) -> None:
    session.execute(
        update(AgentPendingAction)
        .where(col(AgentPendingAction.id) == approval_id, col(AgentPendingAction.status) == ApprovalStatus.PENDING)
        .values(version=AgentPendingAction.version + 1, **values)
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
    withdraw(col(AgentPendingAction.run_id) == run_id, reason, session=session)


def withdraw(
    which: ColumnElement[bool], reason: str, *, by: str = "maos", via: str = "system", session: Session
) -> None:
    """Withdraw those of the approvals that nobody has decided."""
    pending = select(AgentPendingAction.id).where(which, col(AgentPendingAction.status) == ApprovalStatus.PENDING)
    # In the order in which those are locked that are decided together.
    locked = session.exec(pending.order_by(col(AgentPendingAction.id)).with_for_update()).all()
    session.execute(
        update(AgentPendingAction)
        .where(col(AgentPendingAction.id).in_(locked))
        .values(
            status=ApprovalStatus.CANCELLED,
            decided_by=by,
            decided_via=via,
            decided_at=utc_now(),
            note=reason,
            version=AgentPendingAction.version + 1,
        )
    )


def lock_due(run_id: UUID | None, *, limit: int, session: Session) -> list[Approval]:
    """Return undecided approvals whose time has passed, those that wait longest first, locked.

    One that somebody is deciding at this moment is left to them.

    Args:
        run_id: only this run's.
    """
    statement = (
        select(AgentPendingAction)
        .where(
            col(AgentPendingAction.status) == ApprovalStatus.PENDING,
            col(AgentPendingAction.expires_at) <= func.clock_timestamp(),
        )
        .order_by(col(AgentPendingAction.expires_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if run_id:
        statement = statement.where(AgentPendingAction.run_id == run_id)
    return [approval_of(row) for row in session.exec(statement)]


def supersede(approval_id: UUID, *, session: Session) -> None:
    """Void an approval that does not cover what would run; who gave it stays on record."""
    session.execute(
        update(AgentPendingAction)
        .where(col(AgentPendingAction.id) == approval_id, col(AgentPendingAction.status) == ApprovalStatus.APPROVED)
        .values(status=ApprovalStatus.CANCELLED, version=AgentPendingAction.version + 1)
    )


def rounds_of_changes(approval: Approval, *, session: Session) -> int:
    """Return how often changes were requested of this action of this caller in its run."""
    statement = select(func.count()).where(
        AgentPendingAction.run_id == approval.run_id,
        AgentPendingAction.caller == approval.caller,
        AgentPendingAction.action == approval.action,
        AgentPendingAction.decision == Decision.REQUEST_CHANGES,
    )
    return session.exec(statement).one()


def edited_parameters(run_id: UUID, step_id: str, *, session: Session) -> JsonObject | None:
    """Return the parameters that a reviewer has put in the place of a step's own, as long as they can count."""
    newest = newest_approval(run_id, step_id, session=session)
    return newest.runs_edited if newest else None


def approval_ids_like(prefix: str, *, session: Session) -> Sequence[UUID]:
    """Return at most two ids that begin with the prefix: enough to say whether it is unique."""
    return ids_like(AgentPendingAction.id, prefix, session=session)


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


def approvals_granted_by(plan_approval: UUID, *, session: Session) -> Sequence[AgentPendingAction]:
    """Return the approvals of steps that the approval of a plan has given."""
    statement = select(AgentPendingAction).where(AgentPendingAction.granted_by == plan_approval)
    return session.exec(statement.order_by(col(AgentPendingAction.step_id))).all()
