"""Rows of `approval_notices`, also those of budgets: written with what they tell of, claimed once, sent or dropped."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from maos.approvals import Approval
from maos.notices import BUDGET_RISK, CLAIM, QUIET, Channel, NoticeKind, Recipient, is_urgent
from maos.statuses import ApprovalStatus
from sql.approval_tables import AgentActionVote, AgentPendingAction
from sql.approvals import approval_of
from sql.budget_standings import Standing, find_standing
from sql.notice_tables import ApprovalNotice
from sql.tables import Organization, utc_now

_NOW = func.clock_timestamp()
_WAITING: tuple[ColumnElement[bool], ...] = (
    col(ApprovalNotice.sent_at).is_(None),
    col(ApprovalNotice.dropped_at).is_(None),
)


def notice_row(kind: NoticeKind, approval: Approval, recipient: Recipient, *, reminder: int) -> ApprovalNotice:
    """Return a notice of an approval that is not written yet."""
    return ApprovalNotice(
        **recipient.model_dump(),
        org_id=approval.org_id,
        approval_id=approval.id,
        kind=kind,
        revision=approval.revision,
        stage=approval.stage,
        escalated=approval.escalated,
        reminder=reminder,
        urgent=is_urgent(kind, approval.risk),
    )


def threshold_row(percent: int, standing: Standing, recipient: Recipient) -> ApprovalNotice:
    """Return a notice of a threshold that is not written yet."""
    return ApprovalNotice(
        **recipient.model_dump(),
        org_id=standing.org_id,
        kind=NoticeKind.THRESHOLD,
        budget_id=standing.budget_id,
        period_start=standing.period_start,
        percent=percent,
        urgent=is_urgent(NoticeKind.THRESHOLD, BUDGET_RISK),
    )


def add_notices(rows: Sequence[ApprovalNotice], *, session: Session) -> None:
    """Write what is to be told; what was told before is not told again."""
    if rows:
        session.execute(insert(ApprovalNotice).values([row.model_dump() for row in rows]).on_conflict_do_nothing())


def organizations_with_notices(*, session: Session) -> Sequence[UUID]:
    """Return the organisations in which somebody is to be told something by now."""
    return session.exec(
        select(ApprovalNotice.org_id).where(*_WAITING, col(ApprovalNotice.due_at) <= _NOW).distinct()
    ).all()


def drop_outdated(*, session: Session) -> None:
    """Drop what nobody needs to hear any more: it was decided meanwhile, or by them, or its stage is over."""
    voted = exists().where(
        col(AgentActionVote.approval_id) == ApprovalNotice.approval_id,
        col(AgentActionVote.user_id) == ApprovalNotice.user_id,
        col(AgentActionVote.revision) == AgentPendingAction.revision,
    )
    over = or_(
        col(AgentPendingAction.status) != ApprovalStatus.PENDING,
        col(AgentPendingAction.stage) != ApprovalNotice.stage,
        col(AgentPendingAction.revision) != ApprovalNotice.revision,
        voted,
    )
    session.execute(
        update(ApprovalNotice)
        .where(
            *_WAITING,
            col(AgentPendingAction.id) == ApprovalNotice.approval_id,
            col(ApprovalNotice.kind) != NoticeKind.EXPIRED,
            over,
        )
        .values(dropped_at=utc_now())
        .execution_options(synchronize_session=False)
    )


def ready(*, urgent_only: bool, session: Session) -> list[Recipient]:
    """Return who is to be told something now: it is urgent, or they have not heard anything for a while."""
    earlier = aliased(ApprovalNotice)
    heard = exists().where(
        col(earlier.org_id) == ApprovalNotice.org_id,
        col(earlier.channel) == ApprovalNotice.channel,
        col(earlier.address) == ApprovalNotice.address,
        col(earlier.sent_at) > _NOW - QUIET,
    )
    urgent = func.bool_or(col(ApprovalNotice.urgent))
    place = (col(ApprovalNotice.org_id), col(ApprovalNotice.channel), col(ApprovalNotice.address))
    statement = (
        select(ApprovalNotice.channel, ApprovalNotice.address)
        .where(*_WAITING, col(ApprovalNotice.due_at) <= _NOW)
        .group_by(*place)
        .having(urgent if urgent_only else or_(urgent, ~heard))
        .order_by(urgent.desc(), func.min(ApprovalNotice.due_at))
    )
    return [Recipient(channel=Channel(channel), address=address) for channel, address in session.execute(statement)]


def claim(recipient: Recipient, *, session: Session) -> Sequence[ApprovalNotice]:
    """Take everything that one recipient is to be told now: of any number of senders one gets each of it.

    Should the sender die, another tries again after a while: a message may then arrive twice, but none is lost.
    """
    claimed = (
        update(ApprovalNotice)
        .where(
            *_WAITING,
            col(ApprovalNotice.channel) == recipient.channel,
            col(ApprovalNotice.address) == recipient.address,
            col(ApprovalNotice.due_at) <= _NOW,
        )
        .values(due_at=_NOW + CLAIM, attempts=ApprovalNotice.attempts + 1)
        .returning(ApprovalNotice)
        .execution_options(synchronize_session=False)
    )
    return session.scalars(claimed).all()


def approvals_told_of(notices: Sequence[ApprovalNotice], *, session: Session) -> dict[UUID, Approval]:
    """Return the approvals that notices tell of, by their ids."""
    ids = {notice.approval_id for notice in notices if notice.approval_id}
    found = session.exec(select(AgentPendingAction).where(col(AgentPendingAction.id).in_(ids)))
    return {row.id: approval_of(row) for row in found}


def budgets_told_of(notices: Sequence[ApprovalNotice], *, session: Session) -> list[tuple[int, Standing]]:
    """Return the budgets that notices tell of as they stand now, each with the highest threshold among them."""
    highest: dict[tuple[UUID, date], int] = {}
    for notice in notices:
        if notice.budget_id and notice.period_start and notice.percent:
            period = (notice.budget_id, notice.period_start)
            highest[period] = max(notice.percent, highest.get(period, 0))
    found = ((percent, find_standing(*period, session=session)) for period, percent in highest.items())
    return [(percent, standing) for percent, standing in found if standing]


def mark_sent(ids: Collection[UUID], *, session: Session) -> None:
    """Note that the recipient was told."""
    _update(ids, sent_at=utc_now(), error=None, session=session)


def mark_failed(ids: Collection[UUID], error: str, *, pause: timedelta, session: Session) -> None:
    """Note why the recipient could not be told, and when it is tried again."""
    _update(ids, due_at=_NOW + pause, error=error, session=session)


def mark_dropped(ids: Collection[UUID], error: str, *, session: Session) -> None:
    """Give up telling the recipient."""
    _update(ids, dropped_at=utc_now(), error=error, session=session)


def _update(ids: Collection[UUID], *, session: Session, **values: object) -> None:
    waiting = and_(*_WAITING, col(ApprovalNotice.id).in_(ids))
    session.execute(update(ApprovalNotice).where(waiting).values(**values).execution_options(synchronize_session=False))


def list_notices(*, org_id: UUID | None, limit: int, session: Session) -> Sequence[tuple[ApprovalNotice, str]]:
    """Return the newest notices with the slug of their organisation."""
    statement = (
        select(ApprovalNotice, Organization.slug)
        .join(Organization, col(Organization.id) == ApprovalNotice.org_id)
        .order_by(col(ApprovalNotice.created_at).desc(), col(ApprovalNotice.id).desc())
        .limit(limit)
    )
    if org_id:
        statement = statement.where(ApprovalNotice.org_id == org_id)
    return session.exec(statement).all()
