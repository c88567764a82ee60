"""Organisations as people name them."""

from collections.abc import Sequence
from uuid import UUID

from maos.errors import BadInput
from sql.organizations import active_organizations, find_organization
from sql.session import system_session


def org_id_of(slug: str | None) -> UUID | None:
    """Return the id of the organisation of this slug, or None for all of them.

    Raises:
        BadInput: when there is no such organisation.
    """
    if slug is None:
        return None
    with system_session() as session:
        org = find_organization(slug, session=session)
    if org is None:
        raise BadInput("org", slug, "the slug of an organisation that exists")
    return org.id


def known_org_id(slug: str) -> UUID:
    """Return the id of the organisation of this slug.

    Raises:
        BadInput: when there is no such organisation.
    """
    found = org_id_of(slug)
    if found is None:
        raise BadInput("org", slug, "the slug of an organisation that exists")
    return found


def organisations(slug: str | None) -> Sequence[tuple[UUID, str]]:
    """Return id and slug of the organisation of this slug, or of every active one.

    Raises:
        BadInput: when there is no such organisation.
    """
    if slug is not None:
        return [(known_org_id(slug), slug)]
    with system_session() as session:
        return active_organizations(session=session)
