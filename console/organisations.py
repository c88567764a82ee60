"""Organisations as people name them."""

from uuid import UUID

from maos.errors import BadInput
from sql.organizations import find_organization
from sql.session import system_session


def org_id_of(slug: str | None) -> UUID | None:
    """Return the id of the organisation of this slug, or None for all of them.

    Raises:
        BadInput: when there is no such organisation.
    """
    return None if slug is None else known_org_id(slug)


def known_org_id(slug: str) -> UUID:
    """Return the id of the organisation of this slug.

    Raises:
        BadInput: when there is no such organisation.
    """
    with system_session() as session:
        org = find_organization(slug, session=session)
    if org is None:
        raise BadInput("org", slug, "the slug of an organisation that exists")
    return org.id
