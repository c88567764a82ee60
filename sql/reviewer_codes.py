"""Rows of `reviewer_codes`: enrolments, and the codes that were used or wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import Session, col, select

from sql.reviewer_tables import ReviewerCode
from sql.tables import Organization, User, UserOrganization, utc_now

_IN_FORCE = col(ReviewerCode.revoked_at).is_(None)


@dataclass(frozen=True)
class Enrolment:
    """What is known of a person's codes: the columns that the application may read."""

    id: UUID
    user_id: UUID
    sealed_secret: str
    last_used_step: int
    wrong_codes: int
    locked_until: datetime | None


def enrolment_of(user_id: UUID, *, session: Session, locked: bool = False) -> Enrolment | None:
    """Return a person's enrolment that is in force.

    Args:
        locked: nobody else checks a code of the person until the transaction ends.
    """
    columns = (getattr(ReviewerCode, name) for name in Enrolment.__dataclass_fields__)
    statement = select(*columns).where(ReviewerCode.user_id == user_id, _IN_FORCE)
    row = session.execute(statement.with_for_update() if locked else statement).first()
    return Enrolment(**row._mapping) if row else None


def use_step(enrolment_id: UUID, step: int, *, session: Session) -> bool:
    """Use the code of a step; return whether nobody has used it, or a newer one, before."""
    statement = (
        update(ReviewerCode)
        .where(col(ReviewerCode.id) == enrolment_id, _IN_FORCE, col(ReviewerCode.last_used_step) < step)
        .values(last_used_step=step, wrong_codes=0, locked_until=None)
        .returning(col(ReviewerCode.id))
    )
    return session.execute(statement).first() is not None


def count_wrong_code(
    enrolment_id: UUID, wrong_codes: int, *, at: datetime, locked_until: datetime | None, session: Session
) -> None:
    """Write how many wrong codes there were in a row by now, the enrolment being locked."""
    statement = update(ReviewerCode).where(col(ReviewerCode.id) == enrolment_id)
    session.execute(statement.values(wrong_codes=wrong_codes, last_wrong_at=at, locked_until=locked_until))


def revoke_enrolment(user_id: UUID, *, by: str, session: Session) -> bool:
    """End a person's enrolment and forget its secret; return whether there was one."""
    statement = (
        update(ReviewerCode)
        .where(col(ReviewerCode.user_id) == user_id, _IN_FORCE)
        .values(sealed_secret=None, revoked_at=utc_now(), revoked_by=by)
        .returning(col(ReviewerCode.id))
    )
    return session.execute(statement).first() is not None


def all_enrolments(*, session: Session) -> Sequence[Enrolment]:
    """Return every enrolment that is in force, locked until the transaction ends."""
    columns = (getattr(ReviewerCode, name) for name in Enrolment.__dataclass_fields__)
    statement = select(*columns).where(_IN_FORCE).order_by(col(ReviewerCode.id)).with_for_update()
    return [Enrolment(**row._mapping) for row in session.execute(statement)]


def exchange_seal(enrolment_id: UUID, sealed_secret: str, *, session: Session) -> None:
    """Write a secret as it is encrypted under another key."""
    session.execute(
        update(ReviewerCode).where(col(ReviewerCode.id) == enrolment_id).values(sealed_secret=sealed_secret)
    )


def list_reviewers(
    roles: frozenset[str], *, org_id: UUID | None, session: Session
) -> Sequence[tuple[str, str, Sequence[str], ReviewerCode | None]]:
    """Return organisation, address, roles and enrolment of those who have one of the roles or codes."""
    statement = (
        select(
            Organization.slug,
            User.email,
            func.array_agg(aggregate_order_by(col(UserOrganization.role), col(UserOrganization.role))),
            ReviewerCode,
        )
        .join(UserOrganization, col(UserOrganization.org_id) == Organization.id)
        .join(User, col(User.id) == UserOrganization.user_id)
        .outerjoin(ReviewerCode, (col(ReviewerCode.user_id) == User.id) & _IN_FORCE)
        .group_by(Organization.slug, User.email, col(ReviewerCode.id))
        .having(func.bool_or(col(UserOrganization.role).in_(roles)) | col(ReviewerCode.id).is_not(None))
        .order_by(Organization.slug, User.email)
    )
    if org_id:
        statement = statement.where(Organization.id == org_id)
    return [tuple(row) for row in session.execute(statement)]
