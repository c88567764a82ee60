"""Who may start a run, for whom, and on which terms."""

import json
from uuid import UUID

from maos.autonomy import stricter
from maos.errors import BadInput
from maos.policy import Policy
from maos.requests import RunRequest
from sql import organizations
from sql.session import org_session, system_session
from tasks.policies import policy_book
from tasks.secrecy import redaction

_MAY_START_RUNS = frozenset({"owner", "author", "operator"})
MAY_OPERATE_RUNS = frozenset({"owner", "operator"})


def admit(request: RunRequest) -> UUID:
    """Check that the organisation exists and the initiator may start a run for it; return its id.

    Raises:
        BadInput: naming the field, the value and what is allowed.
    """
    _refuse_secrets(request)
    with system_session() as session:
        org = organizations.find_organization(request.org, session=session)
        if org is None:
            own = ", ".join(organizations.organizations_of(request.initiator, session=session))
            allowed = f"organisations of {request.initiator}: {own or 'none'}"
            raise BadInput("org", request.org, allowed)
        if org.status != "active":
            raise BadInput("org", request.org, f"an active organisation; this one is {org.status}")
        user = organizations.find_member(request.initiator, session=session)
        roles = organizations.roles_of(user.id, org_id=org.id, session=session) if user else frozenset()
    if not roles & _MAY_START_RUNS:
        allowed = f"a member of {request.org} with role {' or '.join(sorted(_MAY_START_RUNS))}"
        raise BadInput("initiator", request.initiator, allowed)
    _check_policy(policy_book(org.id).policy, request)
    return org.id


def _refuse_secrets(request: RunRequest) -> None:
    """Refuse a request that holds a secret: requests are kept as they are, here and by Prefect."""
    hidden = redaction()
    for name, value in request.model_dump(mode="json").items():
        words = json.dumps(value, ensure_ascii=False)
        # The permission that an address carries in its query is the data's, and is let in.
        clean = hidden.without_known(words) if "://" in words else hidden.without_keys(words)
        if clean != words:
            raise BadInput(
                name, "[secret]", "no keys or passwords; they belong into the settings, or a block of Prefect"
            )


def _check_policy(policy: Policy, request: RunRequest) -> None:
    if request.team is not None and request.team not in policy.teams:
        allowed = ", ".join(sorted(policy.teams)) or "none: the organisation's policy names no teams"
        raise BadInput("team", request.team, allowed)
    level = policy.level_of(request.team)
    if request.autonomy and stricter(request.autonomy, level) is not request.autonomy:
        whose = f"{request.org}, team {request.team}" if request.team else request.org
        raise BadInput("autonomy", request.autonomy.value, f"{level.value} or stricter for {whose}")


def check_operator(person: str, *, org_id: UUID, initiator: str) -> None:
    """Refuse a person who may not hold, cancel or retry a run: whoever started it may, and who operates runs.

    Raises:
        BadInput: naming who may.
    """
    with org_session(org_id) as session:
        user = organizations.find_member(person, session=session)
        roles = organizations.roles_of(user.id, org_id=org_id, session=session) if user else frozenset()
    if not roles or (person != initiator and not roles & MAY_OPERATE_RUNS):
        raise BadInput("--as", person, f"{initiator}, or a member with role {' or '.join(sorted(MAY_OPERATE_RUNS))}")
