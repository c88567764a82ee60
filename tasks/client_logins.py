"""Logins by which a customer's own programs read the views of schema `client`."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from maos.audit import act_of
from maos.organizations import OPERATOR
from sql import audit, client_logins
from sql.session import owner_session

_PASSWORD_BYTES = 32


@dataclass(frozen=True)
class Login:
    """A login with its password, which is kept nowhere."""

    name: str
    password: str


def make_login(org_id: UUID) -> Login:
    """Make the login of an organisation, or give it another password."""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    with owner_session(org_id, actor=OPERATOR) as session:
        name = client_logins.put_login(org_id, password, session=session)
        event = act_of(OPERATOR, "client_login.made", f"login {name} made, or given another password")
        audit.append_audit(event, org_id=org_id, session=session)
    return Login(name, password)


def drop_login(org_id: UUID) -> str | None:
    """Remove the login of an organisation; return its name, or None where there was none."""
    with owner_session(org_id, actor=OPERATOR) as session:
        name = client_logins.drop_login(org_id, session=session)
        if name:
            audit.append_audit(
                act_of(OPERATOR, "client_login.dropped", f"login {name} dropped"), org_id=org_id, session=session
            )
    return name
