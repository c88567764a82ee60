"""Changing by which way people are told, with a row in the audit log: whoever is not told does not look."""

from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from maos.audit import act_of
from maos.errors import BadInput
from maos.mail_addresses import MailAddress
from maos.notices import Channel, Route
from maos.organizations import OPERATOR
from maos.roles import Role
from sql import audit, notice_routes
from sql.session import system_session

_ADDRESS: TypeAdapter[str] = TypeAdapter(MailAddress)


def add_route(route: Route, *, person: str | None, org_id: UUID) -> UUID:
    """Add a route of a role, or of a person; return its id.

    Raises:
        BadInput: when role, person or target are not acceptable, or there is the same route already.
    """
    if route.role is not None and route.role not in set(Role):
        raise BadInput("role", route.role, " or ".join(Role))
    _check_target(route)
    with system_session() as session:
        if person is not None:
            members = {each.email: each.id for each in notice_routes.people_of(org_id, session=session)}
            if person not in members:
                raise BadInput("person", person, "a member of the organisation")
            route = route.model_copy(update={"user_id": members[person]})
        added = notice_routes.add_route(route, org_id=org_id, session=session)
        if added is None:
            raise BadInput("route", route.channel.value, "one that is not there yet; look at: maos notices route list")
        words = f"{person or route.role} is told by {route.channel}, from risk {route.minimum_risk} on"
        audit.append_audit(act_of(OPERATOR, "notice_route.added", words), org_id=org_id, session=session)
    return added


def remove_route(route_id: UUID) -> None:
    """Remove a route.

    Raises:
        BadInput: when there is none of this id.
    """
    with system_session() as session:
        org_id = notice_routes.remove_route(route_id, session=session)
        if org_id is None:
            raise BadInput("route", str(route_id), "the id of a route that exists; look at: maos notices route list")
        audit.append_audit(
            act_of(OPERATOR, "notice_route.removed", f"route {route_id} removed"), org_id=org_id, session=session
        )


def _check_target(route: Route) -> None:
    target = route.target
    if route.channel is not Channel.EMAIL:
        # An address would be a secret in our database.
        if not target or not target.replace("-", "").isalnum():
            raise BadInput("target", "(not shown)", f"the name of a {route.channel} block: letters, digits, dashes")
        return
    try:
        _ADDRESS.validate_python(target) if target is not None else None
    except ValidationError:
        raise BadInput("target", target or "", "an email address") from None
