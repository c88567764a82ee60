"""Deletions of organisations: the requests, the one statement that carries one out, and what remains."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from maos.errors import BadInput
from sql.audit_tables import AuditChainHead
from sql.organization_tables import OrganizationDeletion, OrganizationTombstone
from sql.tables import Organization

# What `delete_organization` raises where a rule refuses.
_REFUSED = "MAOS1"


def add_request(
    request_id: UUID, requested_by: str, *, folder: str, digest: str, org_id: UUID, session: Session
) -> None:
    """Write that an owner has asked for the deletion of an organisation, with what was exported for it."""
    session.execute(
        insert(OrganizationDeletion).values(
            id=request_id, org_id=org_id, requested_by=requested_by, export_folder=folder, export_digest=digest
        )
    )


def find_request(request_id: UUID, *, session: Session) -> OrganizationDeletion | None:
    """Return a request."""
    return session.exec(select(OrganizationDeletion).where(OrganizationDeletion.id == request_id)).first()


def close_organization(org_id: UUID, *, session: Session) -> None:
    """Let nobody add to an organisation until the transaction ends: what is read of it then is all there is."""
    session.exec(select(Organization.id).where(Organization.id == org_id).with_for_update()).all()
    session.exec(select(AuditChainHead.org_id).where(AuditChainHead.org_id == org_id).with_for_update()).all()


def delete_organization(org_id: UUID, request_id: UUID, digest: str, *, session: Session) -> None:
    """Delete every row of an organisation, in the name of the session's actor; its tombstone remains.

    Raises:
        BadInput: when the database refuses, which asks for everything again.
    """
    statement = text("SELECT delete_organization(:org_id, :request_id, :digest)")
    try:
        session.execute(statement, {"org_id": org_id, "request_id": request_id, "digest": digest})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _REFUSED:
            raise
        allowed = str(error.orig).splitlines()[0]
        raise BadInput("--confirm", str(request_id), allowed) from None


def find_tombstone(slug: str, *, session: Session) -> OrganizationTombstone | None:
    """Return what remains of the organisation that had this slug."""
    return session.exec(select(OrganizationTombstone).where(OrganizationTombstone.slug == slug)).first()


def list_tombstones(*, session: Session) -> Sequence[OrganizationTombstone]:
    """Return what remains of every deleted organisation, the newest deletion first."""
    return session.exec(select(OrganizationTombstone).order_by(col(OrganizationTombstone.deleted_at).desc())).all()
