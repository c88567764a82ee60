"""Organisations: creating one, suspending it, and letting its work go on."""

from uuid import UUID

from sqlmodel import Session

from maos.audit import AuditEvent, act_of
from maos.errors import BadInput
from maos.organizations import OPERATOR, OrganizationStatus, checked_name, checked_slug, may_resume
from maos.roles import Permission, Role
from maos.runs import GateKind, Run
from maos.statuses import RunStatus
from sql import audit, deletions, organizations, runs
from sql.session import org_session, system_session
from sql.tables import Organization
from tasks.people import check_permission, checked_person


def create_organization(slug: str, name: str, *, owner: str, owner_name: str) -> UUID:
    """Create an organisation with its first owner: an operator's doing, since nobody is a member yet.

    Raises:
        BadInput: when a value is not acceptable, or the slug is, or was, another organisation's.
    """
    person, slug = checked_person(owner, field="--owner"), checked_slug(slug)
    with system_session(actor=OPERATOR) as session:
        if deletions.find_tombstone(slug, session=session):
            # Its files and its export are known by this slug.
            raise BadInput("slug", slug, "one that no organisation had before; this one was deleted")
        org_id = organizations.add_organization(slug, checked_name(name), session=session)
        if org_id is None:
            raise BadInput("slug", slug, "one that no organisation has")
        user_id = organizations.ensure_person(person, checked_name(owner_name), session=session)
        organizations.grant_role(user_id, Role.OWNER, org_id=org_id, session=session)
        summary = f"organisation {slug} created, with {person} as its owner"
        audit.append_audit(_event("organization.created", OPERATOR, summary), org_id=org_id, session=session)
    return org_id


def suspend(org_id: UUID, reason: str, *, by: str) -> bool:
    """Let nothing more start for an organisation: its open runs are held before their next step.

    Return False when it is suspended already.

    Args:
        by: a member who may, or `OPERATOR`.

    Raises:
        BadInput: when the person may not.
    """
    with system_session(actor=by) as session:
        org = _locked(org_id, by, session)
        if org.status == OrganizationStatus.SUSPENDED:
            return False
        organizations.suspend(org_id, by, reason, session=session)
        summary = f"{org.slug} suspended by {by}: {reason}"
        audit.append_audit(_event("organization.suspended", by, summary), org_id=org_id, session=session)
    return True


def resume(org_id: UUID, *, by: str) -> bool:
    """Let work go on for an organisation; return False when it is not suspended.

    Raises:
        BadInput: when the person may not.
    """
    with system_session(actor=by) as session:
        org = _locked(org_id, by, session)
        if org.status == OrganizationStatus.ACTIVE:
            return False
        if not may_resume(by, org.suspended_by):
            raise BadInput("--as", by, "the operator, who has suspended it: maos org resume without --as")
        organizations.resume(org_id, session=session)
        summary = f"{org.slug} resumed by {by}"
        audit.append_audit(_event("organization.resumed", by, summary), org_id=org_id, session=session)
    return True


def runs_to_wake(org_id: UUID) -> list[Run]:
    """Return the runs that wait as held ones and that nothing holds any more."""
    with org_session(org_id) as session:
        waiting = [run for run in runs.open_runs(session=session) if run.status is RunStatus.PAUSED]
    return [run for run in waiting if run.gate_kind is GateKind.HOLD and run.held_by is None]


def _locked(org_id: UUID, by: str, session: Session) -> Organization:
    org = organizations.lock_organization(org_id, session=session)
    if by != OPERATOR:
        check_permission(by, Permission.SUSPEND, org_id=org_id, session=session)
    return org


def _event(event: str, by: str, summary: str) -> AuditEvent:
    words = summary if by == OPERATOR else f"{summary} (identity unverified)"
    return act_of(by, event, words)
