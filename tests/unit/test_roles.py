"""Who may do what: the table, what it says of granting, and that nothing else decides it."""

import ast
import re
from itertools import combinations
from pathlib import Path

import pytest

from maos.approval_policy import DecidingRole
from maos.errors import BadInput
from maos.organizations import OPERATOR, checked_name, checked_slug, may_resume
from maos.roles import Permission, Role, grantable, may, may_grant, roles_with

ROOT = Path(__file__).parent.parent.parent

# Written out, not computed: a change of the table is a change of this one, and of the one in the documentation.
TABLE: dict[Permission, set[str]] = {
    Permission.START_RUNS: {"owner", "author", "operator"},
    Permission.OPERATE_OWN_RUNS: {"owner", "author", "operator"},
    Permission.OPERATE_RUNS: {"owner", "operator"},
    Permission.DECIDE: {"owner", "reviewer"},
    Permission.MARK_WRONG: {"owner", "operator", "reviewer"},
    Permission.WITHDRAW_EXEMPTIONS: {"owner"},
    Permission.STORE_RULES: {"owner"},
    Permission.REGISTER_WORKFLOWS: {"owner"},
    Permission.STORE_POLICY: {"owner"},
    Permission.SET_PRICES: {"owner"},
    Permission.SET_BUDGETS: {"owner"},
    Permission.SET_RETENTION: {"owner"},
    Permission.ERASE: {"owner"},
    Permission.ENROL: {"owner"},
    Permission.MANAGE_PEOPLE: {"owner", "operator"},
    Permission.SUSPEND: {"owner"},
    Permission.DELETE: {"owner"},
}


@pytest.mark.parametrize("permission", Permission)
def test_each_permission_is_had_by_these_roles_and_no_other(permission: Permission) -> None:
    assert {role for role in Role if may({role}, permission)} == TABLE[permission]
    assert roles_with(permission) == TABLE[permission]


@pytest.mark.parametrize("permission", Permission)
def test_a_stranger_and_an_unknown_role_may_nothing(permission: Permission) -> None:
    assert not may(set(), permission)
    assert not may({"admin", "Owner", ""}, permission)


def test_several_roles_add_up() -> None:
    both = {"author", "reviewer"}

    assert may(both, Permission.START_RUNS)
    assert may(both, Permission.DECIDE)
    assert not may(both, Permission.OPERATE_RUNS)


def test_the_roles_that_policies_may_name_are_those_that_may_decide() -> None:
    assert set(DecidingRole) == TABLE[Permission.DECIDE]


def test_an_owner_grants_every_role_and_an_operator_none_that_may_do_more() -> None:
    assert grantable({"owner"}) == tuple(Role)
    assert grantable({"operator"}) == (Role.AUTHOR, Role.OPERATOR, Role.AUDITOR)
    assert grantable({"operator", "reviewer"}) == (Role.AUTHOR, Role.OPERATOR, Role.REVIEWER, Role.AUDITOR)


@pytest.mark.parametrize("roles", [set(), {"author"}, {"reviewer"}, {"auditor"}, {"author", "reviewer", "auditor"}])
def test_who_does_not_manage_people_grants_nothing(roles: set[str]) -> None:
    assert grantable(roles) == ()


def test_nobody_grants_what_they_may_not_do_themselves() -> None:
    sets = [set(chosen) for size in range(len(Role) + 1) for chosen in combinations(Role, size)]
    for roles in sets:
        for role in Role:
            gained = [permission for permission in Permission if may({role}, permission) and not may(roles, permission)]

            assert not (may_grant(roles, role) and gained), (roles, role)


def test_no_role_is_named_where_permissions_are_asked_for() -> None:
    named = []
    # "reviewer" is also what a form calls whoever answers it.
    telling = set(Role) - {Role.REVIEWER}
    for path in (path for room in ("tasks", "flows", "console", "blocks") for path in (ROOT / room).rglob("*.py")):
        words = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        named += [f"{path.relative_to(ROOT)}: {word}" for word in words & telling]

    assert named == []


def test_the_documentation_has_the_same_table() -> None:
    lines = (ROOT / "docs" / "organisations.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    header = next(row for row in cells if row[1:] == list(Role))
    rows = cells[cells.index(header) + 2 :][: len(Permission)]
    written = {row[0]: {role for role, mark in zip(Role, row[1:], strict=True) if mark == "yes"} for row in rows}

    assert written == {permission.value: TABLE[permission] for permission in Permission}


@pytest.mark.parametrize("slug", ["", "-acme", "Acme", "a b", "a_b", "../a", "a" * 64, "acme\n", "äcme"])
def test_a_slug_is_plain(slug: str) -> None:
    with pytest.raises(BadInput, match="slug"):
        checked_slug(slug)


def test_a_name_is_something() -> None:
    assert checked_name("  Acme Ltd ") == "Acme Ltd"
    for name in ("", "  ", "x" * 201):
        with pytest.raises(BadInput, match="name"):
            checked_name(name)


def test_what_the_operator_has_suspended_only_the_operator_resumes() -> None:
    assert may_resume(OPERATOR, OPERATOR)
    assert may_resume(OPERATOR, "ann@acme.example")
    assert may_resume("bob@acme.example", "ann@acme.example")
    assert not may_resume("ann@acme.example", OPERATOR)
    # Nobody has written down who: then it was no owner.
    assert not may_resume("ann@acme.example", None)


def test_the_operator_is_called_what_no_person_can_be() -> None:
    assert not re.search("@", OPERATOR)
