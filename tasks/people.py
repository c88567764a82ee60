"""The people of an organisation: what each may do, and granting and revoking their roles."""

from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session

from maos.audit import act_of
from maos.errors import BadInput
from maos.organizations import checked_name
from maos.requests import EmailAddress
from maos.roles import Permission, Role, grantable, may, may_grant, roles_with
from sql import audit, organizations
from sql.session import system_session
from sql.tables import User

_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)


def check_permission(
    person: str, permission: Permission, *, org_id: UUID, session: Session, field: str = "--as"
) -> None:
    """Refuse a person whose roles do not allow this: the one place in which permissions are enforced.

    Call it in the transaction that writes, before anything else.

    Args:
        field: what named the person.

    Raises:
        BadInput: naming the roles that would.
    """
    if not may(_roles(person, org_id=org_id, session=session), permission):
        raise BadInput(field, person, f"a member with role {_listed(roles_with(permission))}")


def member_for(email: str, permission: Permission, *, by: str, session: Session) -> tuple[UUID, frozenset[UUID]]:
    """Return the id and the organisations of a person, if in one of these `by` may do this.

    Raises:
        BadInput: naming the roles that would; the same for whoever is nobody, so that it tells nothing.
    """
    user = organizations.find_member(email, session=session)
    belongs_to = organisations_of(user, session=session)
    if user is None or not any(may(_roles(by, org_id=org_id, session=session), permission) for org_id in belongs_to):
        allowed = f"a member with role {_listed(roles_with(permission))} of an organisation that {email} belongs to"
        raise BadInput("--as", by, allowed)
    return user.id, belongs_to


def organisations_of(person: User | None, *, session: Session) -> frozenset[UUID]:
    """Return the organisations that a person belongs to."""
    found = organizations.memberships_of(person.id, session=session) if person else ()
    return frozenset(org_id for org_id, _ in found)


def check_operator(person: str, *, org_id: UUID, initiator: str, session: Session) -> None:
    """Refuse a person who may not hold, release or cancel this run.

    Raises:
        BadInput: naming who may.
    """
    roles = _roles(person, org_id=org_id, session=session)
    if may(roles, Permission.OPERATE_RUNS) or (person == initiator and may(roles, Permission.OPERATE_OWN_RUNS)):
        return
    raise BadInput("--as", person, f"{initiator}, or a member with role {_listed(roles_with(Permission.OPERATE_RUNS))}")


def checked_person(email: str, *, field: str = "email") -> str:
    """Return an email address as people are known by it.

    Raises:
        BadInput: when it is none.
    """
    try:
        return _ADDRESS.validate_python(email)
    except ValidationError:
        raise BadInput(field, email, "an email address") from None


def add_person(email: str, name: str, role: Role, *, org_id: UUID, by: str) -> None:
    """Make a person a member of an organisation, in a first role.

    Raises:
        BadInput: when `by` may not grant the role, or the person is a member already.
    """
    person, called = checked_person(email), checked_name(name)
    with system_session(actor=by) as session:
        _check_may_grant(by, role, org_id=org_id, session=session)
        if _roles(person, org_id=org_id, session=session):
            raise BadInput("email", person, "somebody who is not a member yet; further roles: maos users grant")
        user_id = organizations.ensure_person(person, called, session=session)
        organizations.grant_role(user_id, role, org_id=org_id, session=session)
        _note("person.added", by, f"{person} added as {role.value} by {by}", org_id=org_id, session=session)


def grant(email: str, role: Role, *, org_id: UUID, by: str) -> bool:
    """Give a member a further role; return False when they have it.

    Raises:
        BadInput: when `by` may not grant the role, or the person is no member.
    """
    with system_session(actor=by) as session:
        _check_may_grant(by, role, org_id=org_id, session=session)
        person, _ = _member(email, org_id=org_id, session=session)
        if not organizations.grant_role(person.id, role, org_id=org_id, session=session):
            return False
        _note("role.granted", by, f"{person.email} made {role.value} by {by}", org_id=org_id, session=session)
    return True


def revoke(email: str, role: Role | None, *, org_id: UUID, by: str) -> tuple[Role, ...]:
    """Take one role from a member, or all of them; return which were taken.

    Raises:
        BadInput: when `by` may not take it, or the person has it not, or is the last owner.
    """
    with system_session(actor=by) as session:
        _check_may_grant(by, role, org_id=org_id, session=session)
        person, roles = _member(email, org_id=org_id, session=session)
        taken = tuple(each for each in Role if each in roles and role in {None, each})
        if not taken:
            raise BadInput("--role", role.value if role else "", f"one of {_listed(roles)}, which {person.email} has")
        for each in taken:
            _check_may_grant(by, each, org_id=org_id, session=session)
        if Role.OWNER in taken and _owners(org_id, session=session) == {person.email}:
            raise BadInput("email", person.email, "anybody but the last owner; make another person owner first")
        for each in taken:
            organizations.revoke_role(person.id, each, org_id=org_id, session=session)
        words = f"{person.email} is no longer {_listed(set(taken), 'and')}, by {by}"
        _note("role.revoked", by, words, org_id=org_id, session=session)
    return taken


def _check_may_grant(by: str, role: Role | None, *, org_id: UUID, session: Session) -> None:
    # Locked first: of two owners who revoke each other at once, the second finds that they no longer may.
    organizations.lock_organization(org_id, session=session)
    check_permission(by, Permission.MANAGE_PEOPLE, org_id=org_id, session=session)
    roles = _roles(by, org_id=org_id, session=session)
    if role and not may_grant(roles, role):
        raise BadInput("--role", role.value, f"{_listed(set(grantable(roles)))}, which may do no more than {by}")


def _member(email: str, *, org_id: UUID, session: Session) -> tuple[User, frozenset[str]]:
    address = checked_person(email)
    person = organizations.find_member(address, session=session)
    roles = organizations.roles_of(person.id, org_id=org_id, session=session) if person else frozenset()
    if person is None or not roles:
        raise BadInput("email", address, "a member of the organisation; new ones: maos users add")
    return person, roles


def _owners(org_id: UUID, *, session: Session) -> set[str]:
    grants = organizations.grants_of(org_id, session=session)
    return {each.email for each in grants if each.role == Role.OWNER}


def _roles(person: str, *, org_id: UUID, session: Session) -> frozenset[str]:
    user = organizations.find_member(person, session=session)
    return organizations.roles_of(user.id, org_id=org_id, session=session) if user else frozenset()


def _note(event: str, by: str, summary: str, *, org_id: UUID, session: Session) -> None:
    audit.append_audit(act_of(by, event, f"{summary} (identity unverified)"), org_id=org_id, session=session)


def _listed(roles: set[Role] | frozenset[Role] | frozenset[str], last: str = "or") -> str:
    return f" {last} ".join(sorted(roles)) or "none"
