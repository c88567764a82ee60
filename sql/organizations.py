"""Organisations, people and their roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy import select as columns
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from maos.organizations import OrganizationStatus
from sql.tables import OrchestratorRun, Organization, User, UserOrganization, utc_now


def find_organization(slug: str, *, session: Session) -> Organization | None:
    """Return the organisation of this slug."""
    return session.exec(select(Organization).where(Organization.slug == slug)).first()


def slug_of(org_id: UUID, *, session: Session) -> str:
    """Return the slug of an organisation that exists."""
    return session.exec(select(Organization.slug).where(Organization.id == org_id)).one()


def active_organizations(*, session: Session) -> Sequence[tuple[UUID, str]]:
    """Return id and slug of every organisation that is not suspended."""
    statement = select(Organization.id, Organization.slug).where(Organization.status == "active")
    return session.exec(statement.order_by(Organization.slug)).all()


def organizations_of(email: str, *, session: Session) -> Sequence[str]:
    """Return the slugs of the organisations a person belongs to."""
    statement = (
        select(Organization.slug)
        .join(UserOrganization, col(UserOrganization.org_id) == Organization.id)
        .join(User, col(User.id) == UserOrganization.user_id)
        .where(User.email == email)
        .distinct()
        .order_by(Organization.slug)
    )
    return session.exec(statement).all()


def find_member(email: str, *, session: Session) -> User | None:
    """Return the person of this address, where the session's organisation may see them."""
    return session.exec(select(User).where(User.email == email)).first()


def roles_of(user_id: UUID, *, org_id: UUID, session: Session) -> frozenset[str]:
    """Return a person's roles in an organisation."""
    statement = select(UserOrganization.role).where(
        UserOrganization.user_id == user_id, UserOrganization.org_id == org_id
    )
    return frozenset(session.exec(statement))


def memberships_of(user_id: UUID, *, session: Session) -> Sequence[tuple[UUID, str]]:
    """Return the organisations and roles of a person."""
    statement = select(UserOrganization.org_id, UserOrganization.role).where(UserOrganization.user_id == user_id)
    return session.exec(statement).all()


def ensure_organization(slug: str, name: str, *, session: Session) -> UUID:
    """Create the organisation unless it exists; return its id."""
    created = add_organization(slug, name, session=session)
    return created or session.exec(select(Organization.id).where(Organization.slug == slug)).one()


def ensure_member(email: str, name: str, role: str, *, org_id: UUID, session: Session) -> None:
    """Give a person a role in an organisation, creating the person where needed."""
    grant_role(ensure_person(email, name, session=session), role, org_id=org_id, session=session)


def add_organization(slug: str, name: str, *, session: Session) -> UUID | None:
    """Create an organisation; return its id, or None when the slug is taken."""
    created = insert(Organization).values(slug=slug, name=name).on_conflict_do_nothing().returning(col(Organization.id))
    return session.scalar(created)


def ensure_person(email: str, name: str, *, session: Session) -> UUID:
    """Create the person unless somebody has this address; return their id."""
    session.execute(insert(User).values(email=email, name=name).on_conflict_do_nothing())
    return session.exec(select(User.id).where(User.email == email)).one()


def grant_role(user_id: UUID, role: str, *, org_id: UUID, session: Session) -> bool:
    """Give a person a role; return False when they have it already."""
    granted = (
        insert(UserOrganization)
        .values(org_id=org_id, user_id=user_id, role=role)
        .on_conflict_do_nothing()
        .returning(col(UserOrganization.role))
    )
    return session.execute(granted).first() is not None


def revoke_role(user_id: UUID, role: str, *, org_id: UUID, session: Session) -> None:
    """Take a role from a person."""
    session.execute(
        delete(UserOrganization).where(
            col(UserOrganization.org_id) == org_id,
            col(UserOrganization.user_id) == user_id,
            col(UserOrganization.role) == role,
        )
    )


def lock_organization(org_id: UUID, *, session: Session) -> Organization:
    """Keep everybody else from changing an organisation or its people until the transaction ends; return it."""
    # Not stronger: rows that refer to the organisation must not wait for it.
    statement = select(Organization).where(Organization.id == org_id).with_for_update(key_share=True)
    return session.exec(statement.execution_options(populate_existing=True)).one()


def is_active(org_id: UUID, *, session: Session) -> bool:
    """Say whether anything may start for the organisation."""
    status = session.exec(select(Organization.status).where(Organization.id == org_id)).first()
    return status == OrganizationStatus.ACTIVE


def suspend(org_id: UUID, by: str, reason: str, *, session: Session) -> None:
    """Note that nothing may start for the organisation."""
    _set_status(org_id, OrganizationStatus.SUSPENDED, by, reason, session=session)


def resume(org_id: UUID, *, session: Session) -> None:
    """Note that work may go on for the organisation."""
    _set_status(org_id, OrganizationStatus.ACTIVE, None, None, session=session)


def _set_status(
    org_id: UUID, status: OrganizationStatus, by: str | None, reason: str | None, *, session: Session
) -> None:
    session.execute(
        update(Organization)
        .where(col(Organization.id) == org_id)
        .values(
            status=status,
            suspended_by=by,
            suspended_because=reason,
            suspended_at=utc_now() if status is OrganizationStatus.SUSPENDED else None,
        )
    )


@dataclass(frozen=True)
class Grant:
    """A role that a person has, who gave it to them, and when; None: before that was recorded."""

    email: str
    name: str
    role: str
    granted_by: str | None
    granted_at: datetime | None


def grants_of(org_id: UUID, *, session: Session) -> list[Grant]:
    """Return everybody's roles in an organisation, by email address."""
    statement = (
        columns(
            col(User.email),
            col(User.name),
            col(UserOrganization.role),
            col(UserOrganization.granted_by),
            col(UserOrganization.granted_at),
        )
        .join(UserOrganization, col(UserOrganization.user_id) == User.id)
        .where(col(UserOrganization.org_id) == org_id)
        .order_by(col(User.email), col(UserOrganization.role))
    )
    return [Grant(*row) for row in session.execute(statement)]


def list_organizations(*, session: Session) -> Sequence[tuple[Organization, int]]:
    """Return every organisation with the number of its open runs, by slug."""
    open_runs = (
        columns(func.count())
        .where(col(OrchestratorRun.org_id) == Organization.id, col(OrchestratorRun.completed_at).is_(None))
        .correlate(Organization)
        .scalar_subquery()
    )
    return session.exec(select(Organization, open_runs).order_by(Organization.slug)).all()
