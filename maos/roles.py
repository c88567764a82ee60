"""Who may do what in an organisation: the table of roles, and the one function that reads it."""

from collections.abc import Mapping, Set
from enum import StrEnum


class Role(StrEnum):
    """What a person is in an organisation; one person may be several things."""

    OWNER = "owner"
    AUTHOR = "author"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """What a role may allow; reading takes a login of the database, and no permission."""

    START_RUNS = "start runs, and retry ended ones"
    OPERATE_OWN_RUNS = "hold, release and cancel the runs they started"
    OPERATE_RUNS = "hold, release and cancel any run"
    DECIDE = "decide approvals"
    MARK_WRONG = "mark what was approved as wrong"
    WITHDRAW_EXEMPTIONS = "withdraw exemptions from approvals"
    STORE_RULES = "store the organisation's rules"
    REGISTER_WORKFLOWS = "register and disable workflows"
    STORE_POLICY = "store the organisation's policy"
    SET_PRICES = "agree on prices"
    SET_BUDGETS = "set and top up budgets, and say by whose calendar they begin"
    SET_RETENTION = "say how long audit rows are kept; place and release legal holds"
    ERASE = "erase a person's data"
    ENROL = "give people one-time codes, and take them away"
    MANAGE_PEOPLE = "add people, grant and revoke roles"
    SUSPEND = "suspend and resume the organisation"
    DELETE = "ask for the deletion of the organisation, and confirm it"


_MAY: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.AUTHOR: frozenset({Permission.START_RUNS, Permission.OPERATE_OWN_RUNS}),
    Role.OPERATOR: frozenset(
        {
            Permission.START_RUNS,
            Permission.OPERATE_OWN_RUNS,
            Permission.OPERATE_RUNS,
            Permission.MARK_WRONG,
            Permission.MANAGE_PEOPLE,
        }
    ),
    Role.REVIEWER: frozenset({Permission.DECIDE, Permission.MARK_WRONG}),
    # Changes nothing: that is what makes an auditor's word worth something.
    Role.AUDITOR: frozenset(),
}


def may(roles: Set[str], permission: Permission) -> bool:
    """Say whether a person with these roles may do this; a stranger has none."""
    return permission in _allowed(roles)


def roles_with(permission: Permission) -> frozenset[Role]:
    """Return the roles that allow this."""
    return frozenset(role for role, allowed in _MAY.items() if permission in allowed)


def may_grant(roles: Set[str], role: Role) -> bool:
    """Say whether a person with these roles may grant or revoke a role: never one that may do more than they may."""
    return may(roles, Permission.MANAGE_PEOPLE) and _MAY[role] <= _allowed(roles)


def grantable(roles: Set[str]) -> tuple[Role, ...]:
    """Return the roles that a person with these roles may grant and revoke."""
    return tuple(role for role in Role if may_grant(roles, role))


def _allowed(roles: Set[str]) -> frozenset[Permission]:
    return frozenset(permission for role, allowed in _MAY.items() if role in roles for permission in allowed)
