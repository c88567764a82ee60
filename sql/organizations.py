"""Organisations, people and their roles."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from sql.tables import Organization, User, UserOrganization


def find_organization(slug: str, *, session: Session) -> Organization | None:
    """Return the organisation of this slug."""
    return session.exec(select(Organization).where(Organization.slug == slug)).first()


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
    session.execute(insert(Organization).values(slug=slug, name=name).on_conflict_do_nothing())
    return session.exec(select(Organization.id).where(Organization.slug == slug)).one()


def ensure_member(email: str, name: str, role: str, *, org_id: UUID, session: Session) -> None:
    """Give a person a role in an organisation, creating the person where needed."""
    session.execute(insert(User).values(email=email, name=name).on_conflict_do_nothing())
    user_id = session.exec(select(User.id).where(User.email == email)).one()
    session.execute(insert(UserOrganization).values(org_id=org_id, user_id=user_id, role=role).on_conflict_do_nothing())
