"""Rows of `notice_routes`, and the people they lead to."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from maos.notices import Person, Route
from sql.notice_tables import NoticeRoute
from sql.tables import Organization, User, UserOrganization, utc_now


def people_of(org_id: UUID, *, session: Session) -> list[Person]:
    """Return the members of an organisation, each with every role."""
    statement = (
        select(User.id, User.email, UserOrganization.role)
        .join(UserOrganization, col(UserOrganization.user_id) == User.id)
        .where(UserOrganization.org_id == org_id)
        .order_by(User.email)
    )
    roles: dict[tuple[UUID, str], set[str]] = defaultdict(set)
    for user_id, email, role in session.exec(statement):
        roles[user_id, email].add(role)
    return [Person(id=user_id, email=email, roles=frozenset(held)) for (user_id, email), held in roles.items()]


def routes_of(org_id: UUID, *, session: Session) -> list[Route]:
    """Return the routes of an organisation."""
    found = session.exec(select(NoticeRoute).where(NoticeRoute.org_id == org_id))
    return [Route.model_validate(row) for row in found]


def add_route(route: Route, *, org_id: UUID, session: Session) -> UUID | None:
    """Add a route; return its id, or None where there is the same already."""
    values = {**route.model_dump(), "org_id": org_id, "created_at": utc_now()}
    return session.scalar(insert(NoticeRoute).values(values).on_conflict_do_nothing().returning(col(NoticeRoute.id)))


def list_routes(*, org_id: UUID | None, session: Session) -> Sequence[tuple[NoticeRoute, str, str | None]]:
    """Return routes, each with the slug of its organisation and the person's address."""
    statement = (
        select(NoticeRoute, Organization.slug, User.email)
        .join(Organization, col(Organization.id) == NoticeRoute.org_id)
        .outerjoin(User, col(User.id) == NoticeRoute.user_id)
        .order_by(Organization.slug, col(NoticeRoute.created_at))
    )
    if org_id:
        statement = statement.where(NoticeRoute.org_id == org_id)
    return session.exec(statement).all()


def remove_route(route_id: UUID, *, session: Session) -> UUID | None:
    """Remove a route; return whose it was, or None where there is no such route."""
    removed = delete(NoticeRoute).where(col(NoticeRoute.id) == route_id).returning(col(NoticeRoute.org_id))
    return session.scalar(removed)
