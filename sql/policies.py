"""Rows of `organization_policies`: every version of every organisation's policy."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from sql.policy_tables import OrganizationPolicy
from sql.tables import Organization


@dataclass(frozen=True)
class NewPolicy:
    """A policy as it is stored."""

    document: str
    read_only_exempt: bool | None
    reason: str
    stored_by: str


def newest_policy(org_id: UUID, *, session: Session) -> tuple[Organization, OrganizationPolicy | None]:
    """Return an organisation that exists, and the version that holds where it has stored any."""
    statement = (
        select(Organization, OrganizationPolicy)
        .outerjoin(OrganizationPolicy, col(OrganizationPolicy.org_id) == Organization.id)
        .where(Organization.id == org_id)
        .order_by(col(OrganizationPolicy.version).desc())
        .limit(1)
    )
    org, row = session.exec(statement).one()
    return org, row


def policies_of(org_id: UUID, *, session: Session) -> Sequence[OrganizationPolicy]:
    """Return every version, the newest first."""
    statement = (
        select(OrganizationPolicy)
        .where(OrganizationPolicy.org_id == org_id)
        .order_by(col(OrganizationPolicy.version).desc())
    )
    return session.exec(statement).all()


def policy_of_version(org_id: UUID, version: int, *, session: Session) -> OrganizationPolicy | None:
    """Return one version."""
    statement = select(OrganizationPolicy).where(
        OrganizationPolicy.org_id == org_id, OrganizationPolicy.version == version
    )
    return session.exec(statement).first()


def next_version(org_id: UUID, *, session: Session) -> int:
    """Return the number of the next version, from 1."""
    last = select(func.coalesce(func.max(OrganizationPolicy.version), 0)).where(OrganizationPolicy.org_id == org_id)
    return session.exec(last).one() + 1


def add_policy(org_id: UUID, policy: NewPolicy, *, version: int, session: Session) -> OrganizationPolicy:
    """Add a version.

    Raises:
        IntegrityError: when another has been added under this number meanwhile.
    """
    digest = hashlib.sha256(policy.document.encode()).hexdigest()
    row = OrganizationPolicy(
        org_id=org_id,
        version=version,
        document=policy.document,
        digest=digest,
        read_only_exempt=policy.read_only_exempt,
        reason=policy.reason,
        stored_by=policy.stored_by,
    )
    session.add(row)
    session.flush()
    return row
