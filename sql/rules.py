"""Rows of `organization_rules`: every version of every organisation's document."""

import hashlib
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from sql.rules_tables import OrganizationRules


def newest_rules(org_id: UUID, *, session: Session) -> OrganizationRules | None:
    """Return the version that holds, or None where an organisation has stored no rules."""
    statement = (
        select(OrganizationRules)
        .where(OrganizationRules.org_id == org_id)
        .order_by(col(OrganizationRules.version).desc())
        .limit(1)
    )
    return session.exec(statement).first()


def rules_of_version(org_id: UUID, version: int, *, session: Session) -> OrganizationRules | None:
    """Return one version."""
    statement = select(OrganizationRules).where(
        OrganizationRules.org_id == org_id, OrganizationRules.version == version
    )
    return session.exec(statement).first()


def next_version(org_id: UUID, *, session: Session) -> int:
    """Return the number of the next version, from 1."""
    last = select(func.coalesce(func.max(OrganizationRules.version), 0)).where(OrganizationRules.org_id == org_id)
    return session.exec(last).one() + 1


def add_rules(org_id: UUID, document: str, *, version: int, stored_by: str, session: Session) -> OrganizationRules:
    """Add a version.

    Raises:
        IntegrityError: when another has been added under this number meanwhile.
    """
    digest = hashlib.sha256(document.encode()).hexdigest()
    row = OrganizationRules(org_id=org_id, version=version, document=document, digest=digest, stored_by=stored_by)
    session.add(row)
    session.flush()
    return row
