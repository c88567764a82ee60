"""Who decides, as far as it is known."""

from dataclasses import dataclass
from uuid import UUID

from maos.decisions import Refusal, Rule
from maos.errors import DecisionRefused
from sql import organizations
from sql.session import org_session


@dataclass(frozen=True)
class Identity:
    """A person in an organisation."""

    user_id: UUID | None
    email: str
    roles: frozenset[str]
    enrolled: bool
    verified: bool


def identify(reviewer: str, code: str | None, *, org_id: UUID) -> Identity:
    """Return who it is."""
    if code:
        words = f"{reviewer} has no one-time code enrolled; leave the code out"
        raise DecisionRefused(reviewer, str(Refusal(rule=Rule.CODE, words=words)))
    with org_session(org_id) as session:
        user = organizations.find_member(reviewer, session=session)
        roles = organizations.roles_of(user.id, org_id=org_id, session=session) if user else frozenset()
    return Identity(user.id if user else None, reviewer, roles, enrolled=False, verified=False)
