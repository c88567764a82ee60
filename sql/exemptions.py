"""Rows of `approval_exemptions`: proposed, signed once, withdrawn once.

Whoever changes one has locked its approval before; the lock on it comes before those on budgets and the audit chain.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, text, update
from sqlmodel import Session, col, select

from maos.actions import JsonObject
from maos.learning import BY_EXEMPTION, Exemption, Likeness
from maos.statuses import ApprovalStatus
from sql import approvals
from sql.approval_tables import AgentPendingAction
from sql.learning_tables import ApprovalExemption, ApprovalLikeness
from sql.tables import utc_now

_LIKENESS = ("team", "action", "shape", "shape_version", "risk")


def exemption_of(row: ApprovalExemption) -> Exemption:
    """Return the row as the rules read it."""
    fields = row.model_dump()
    likeness = {name: fields.pop(name) for name in _LIKENESS}
    return Exemption.model_validate({**fields, "likeness": likeness})


def add_exemption(
    likeness: Likeness, *, org_id: UUID, approval_id: UUID, based_on: JsonObject, session: Session
) -> Exemption:
    """Write a proposal, which covers nothing until it is signed."""
    row = ApprovalExemption(org_id=org_id, approval_id=approval_id, based_on=based_on, **likeness.model_dump())
    session.add(row)
    session.flush()
    return exemption_of(row)


def hold_in_force(likeness: Likeness, *, org_id: UUID, session: Session) -> Exemption | None:
    """Return the signed exemption of such actions; nobody withdraws it before the transaction ends."""
    statement = (
        select(ApprovalExemption)
        .where(_is_like(likeness, org_id), _is_open(), col(ApprovalExemption.signed_at).is_not(None))
        .with_for_update(read=True)
        # As it is now that nobody can change it, not as this session may have seen it before.
        .execution_options(populate_existing=True)
    )
    row = session.exec(statement).first()
    return exemption_of(row) if row else None


def sign(approval_id: UUID, person: str, *, session: Session) -> Exemption | None:
    """Put a proposal into force; None when it has been withdrawn."""
    return _change_one(approval_id, {"signed_by": person, "signed_at": utc_now()}, session=session)


def close(approval_id: UUID, reason: str, *, session: Session) -> Exemption | None:
    """End a proposal that was not signed."""
    return _change_one(approval_id, {"withdrawn_at": utc_now(), "withdrawn_reason": reason}, session=session)


def _change_one(approval_id: UUID, values: dict[str, object], *, session: Session) -> Exemption | None:
    unsigned = col(ApprovalExemption.signed_at).is_(None)
    changed = _change(and_(col(ApprovalExemption.approval_id) == approval_id, unsigned), values, session=session)
    return changed[0] if changed else None


def withdraw(exemption_ids: Sequence[UUID], reason: str, *, session: Session) -> list[Exemption]:
    """End exemptions and proposals; return those that were open until now."""
    values: dict[str, object] = {"withdrawn_at": utc_now(), "withdrawn_reason": reason}
    return _change(col(ApprovalExemption.id).in_(exemption_ids), values, session=session)


def _change(which: ColumnElement[bool], values: dict[str, object], *, session: Session) -> list[Exemption]:
    statement = update(ApprovalExemption).where(which, _is_open()).values(**values).returning(ApprovalExemption)
    rows = session.scalars(statement, execution_options={"populate_existing": True})
    return [exemption_of(row) for row in rows]


def lock_open_like(likeness: Likeness, *, org_id: UUID, session: Session) -> list[UUID]:
    """Return what is open for such actions at any risk, with its approvals locked."""
    return _lock_open(
        col(ApprovalExemption.org_id) == org_id,
        col(ApprovalExemption.team).is_not_distinct_from(likeness.team),
        col(ApprovalExemption.action) == likeness.action,
        col(ApprovalExemption.shape) == likeness.shape,
        session=session,
    )


def lock_open(exemption_id: UUID, *, session: Session) -> list[UUID]:
    """Return the exemption or proposal if it is open, with its approval locked."""
    return _lock_open(col(ApprovalExemption.id) == exemption_id, session=session)


def _lock_open(*which: ColumnElement[bool], session: Session) -> list[UUID]:
    statement = (
        select(ApprovalExemption.id)
        .join(AgentPendingAction, col(AgentPendingAction.id) == ApprovalExemption.approval_id)
        .where(_is_open(), *which)
        .order_by(col(ApprovalExemption.id))
        .with_for_update(of=AgentPendingAction)
    )
    return list(session.exec(statement))


def cancel_proposals(exemptions: Sequence[Exemption], reason: str, *, session: Session) -> None:
    """Withdraw the undecided approvals of proposals that have ended."""
    proposed = col(AgentPendingAction.id).in_([each.approval_id for each in exemptions])
    approvals.withdraw(proposed, reason, session=session)


def left_unsigned(org_id: UUID, *, session: Session) -> list[Exemption]:
    """Return open proposals whose approval has ended without a signature."""
    statement = (
        select(ApprovalExemption)
        .join(AgentPendingAction, col(AgentPendingAction.id) == ApprovalExemption.approval_id)
        .where(
            ApprovalExemption.org_id == org_id,
            _is_open(),
            col(ApprovalExemption.signed_at).is_(None),
            col(AgentPendingAction.status) != ApprovalStatus.PENDING,
        )
    )
    return [exemption_of(row) for row in session.exec(statement)]


def recent(org_id: UUID, since: datetime, *, session: Session) -> frozenset[Likeness]:
    """Return what is open now, or was ended since a time: nobody is to be asked for it again."""
    statement = select(ApprovalExemption).where(
        ApprovalExemption.org_id == org_id, _is_open() | (col(ApprovalExemption.withdrawn_at) >= since)
    )
    return frozenset(exemption_of(row).likeness for row in session.exec(statement))


def answered_by(approval_id: UUID, *, session: Session) -> str | None:
    """Return the name of the exemption that has approved in the place of a person, if one did."""
    statement = select(AgentPendingAction.decided_by).where(
        AgentPendingAction.id == approval_id, AgentPendingAction.decided_via == BY_EXEMPTION
    )
    return session.exec(statement).first()


def exemption_ids_like(prefix: str, *, session: Session) -> Sequence[UUID]:
    """Return at most two ids that begin with the prefix: enough to say whether it is unique."""
    matches = func.starts_with(text("approval_exemptions.id::text"), prefix)
    return session.exec(select(ApprovalExemption.id).where(matches).limit(2)).all()


def find_exemption(exemption_id: UUID, *, session: Session) -> Exemption | None:
    """Return one exemption."""
    row = session.exec(select(ApprovalExemption).where(ApprovalExemption.id == exemption_id)).first()
    return exemption_of(row) if row else None


def list_exemptions(org_id: UUID, *, session: Session) -> Sequence[tuple[ApprovalExemption, int]]:
    """Return every exemption of an organisation with how often it was used, the newest first."""
    used = (
        select(func.count())
        .where(
            ApprovalLikeness.org_id == ApprovalExemption.org_id,
            ApprovalLikeness.exemption_id == ApprovalExemption.id,
        )
        .scalar_subquery()
    )
    statement = (
        select(ApprovalExemption, used)
        .where(ApprovalExemption.org_id == org_id)
        .order_by(col(ApprovalExemption.proposed_at).desc(), col(ApprovalExemption.id).desc())
    )
    return [(row, count or 0) for row, count in session.exec(statement)]


def _is_open() -> ColumnElement[bool]:
    return col(ApprovalExemption.withdrawn_at).is_(None)


def _is_like(likeness: Likeness, org_id: UUID) -> ColumnElement[bool]:
    return and_(
        col(ApprovalExemption.org_id) == org_id,
        col(ApprovalExemption.team).is_not_distinct_from(likeness.team),
        col(ApprovalExemption.action) == likeness.action,
        col(ApprovalExemption.shape) == likeness.shape,
        col(ApprovalExemption.shape_version) == likeness.shape_version,
        col(ApprovalExemption.risk) == likeness.risk,
    )
