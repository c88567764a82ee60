"""Organisations and their people, as operators and owners handle them."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from console.org import org
from console.users import users
from maos.errors import BadInput
from maos.organizations import OPERATOR
from maos.requests import RunRequest
from maos.roles import Role
from sql.organizations import find_organization
from sql.session import system_session
from tasks.admission import admit
from tasks.organizations import create_organization, resume, suspend
from tasks.people import add_person, grant, revoke
from tests.gates import rows

ANN, BOB, EVE = "ann@acme.example", "bob@acme.example", "eve@acme.example"


def _do(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def _said(command: Any, *arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _refusal(command: Any, *arguments: str) -> str:
    done = _do(command, *arguments)
    assert isinstance(done.exception, BadInput), done.output
    return str(done.exception)


@pytest.fixture
def acme(database: str) -> UUID:  # noqa: ARG001
    return create_organization("acme", "Acme Ltd", owner=ANN, owner_name="Ann")


def _roles() -> set[tuple[str, str, str]]:
    query = "SELECT email, role, granted_by FROM user_organizations JOIN users ON users.id = user_id"
    return {(str(email), str(role), str(by)) for email, role, by in rows(query)}


def _events() -> list[tuple[Any, ...]]:
    return rows("SELECT event, actor FROM agent_action_audit_log ORDER BY sequence")


def test_an_operator_creates_an_organisation_with_its_owner(database: str) -> None:  # noqa: ARG001
    said = _said(org, "create", "acme", "--name", "Acme Ltd", "--owner", "Ann@Acme.example", "--owner-name", "Ann")

    assert said.startswith("organisation acme: created, owned by ann@acme.example; id ")
    assert _roles() == {(ANN, "owner", OPERATOR)}
    assert _events() == [("organization.created", OPERATOR)]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("Acme", "--name", "Acme", "--owner", ANN), "slug"),
        (("acme", "--name", " ", "--owner", ANN), "name"),
        (("acme", "--name", "Acme", "--owner", "ann"), "--owner"),
    ],
)
def test_what_makes_no_organisation_is_refused(database: str, arguments: tuple[str, ...], field: str) -> None:  # noqa: ARG001
    assert _refusal(org, "create", *arguments).startswith(field)
    assert rows("SELECT 1 FROM organizations") == []


def test_a_slug_is_given_once(acme: UUID) -> None:  # noqa: ARG001
    assert "one that no organisation has" in _refusal(org, "create", "acme", "--name", "A", "--owner", EVE)
    assert _roles() == {(ANN, "owner", OPERATOR)}


def test_people_are_added_and_their_roles_granted_and_revoked(acme: UUID) -> None:  # noqa: ARG001
    at = ("--org", "acme", "--as", ANN)
    _said(users, "add", "Bob@acme.example", "--role", "author", "--name", "Bob", *at)
    _said(users, "grant", BOB, "--role", "reviewer", *at)

    assert _roles() == {(ANN, "owner", OPERATOR), (BOB, "author", ANN), (BOB, "reviewer", ANN)}
    assert "reviewer of acme already" in _said(users, "grant", BOB, "--role", "reviewer", *at)
    assert _said(users, "revoke", BOB, "--role", "author", *at) == "bob@acme.example: no longer author of acme\n"
    assert _roles() == {(ANN, "owner", OPERATOR), (BOB, "reviewer", ANN)}
    assert _said(users, "revoke", BOB, *at) == "bob@acme.example: no longer reviewer of acme\n"
    listed = json.loads(_said(users, "list", "--org", "acme", "--json"))
    assert [(each["email"], each["role"], each["granted_by"]) for each in listed] == [(ANN, "owner", OPERATOR)]
    assert [event for event, actor in _events() if actor == ANN] == [
        "person.added",
        "role.granted",
        "role.revoked",
        "role.revoked",
    ]


def test_who_is_no_member_is_added_and_who_is_one_is_granted(acme: UUID) -> None:  # noqa: ARG001
    at = ("--org", "acme", "--as", ANN)

    assert "maos users add" in _refusal(users, "grant", BOB, "--role", "author", *at)
    assert "maos users grant" in _refusal(users, "add", ANN, "--role", "author", *at)
    assert "maos users add" in _refusal(users, "revoke", BOB, *at)
    assert _roles() == {(ANN, "owner", OPERATOR)}


def test_nobody_grants_or_revokes_a_role_that_may_do_more_than_they_may(acme: UUID) -> None:
    add_person(BOB, "Bob", Role.OPERATOR, org_id=acme, by=ANN)
    add_person(EVE, "Eve", Role.REVIEWER, org_id=acme, by=ANN)
    before = _roles()

    for role in (Role.OWNER, Role.REVIEWER):
        with pytest.raises(BadInput, match="auditor or author or operator, which may do no more than bob"):
            grant(BOB, role, org_id=acme, by=BOB)
    for email in (ANN, EVE):
        with pytest.raises(BadInput, match="--role"):
            revoke(email, None, org_id=acme, by=BOB)
    assert _roles() == before
    add_person("new@acme.example", "New", Role.AUTHOR, org_id=acme, by=BOB)


def test_the_last_owner_stays(acme: UUID) -> None:
    for role in (Role.OWNER, None):
        with pytest.raises(BadInput, match="the last owner"):
            revoke(ANN, role, org_id=acme, by=ANN)
    add_person(BOB, "Bob", Role.OWNER, org_id=acme, by=ANN)

    assert revoke(ANN, None, org_id=acme, by=BOB) == (Role.OWNER,)
    assert {email for email, _, _ in _roles()} == {BOB}


def test_of_owners_who_revoke_each_other_at_once_one_is_left(acme: UUID) -> None:
    people = [ANN, BOB, EVE]
    for email in people[1:]:
        add_person(email, email, Role.OWNER, org_id=acme, by=ANN)

    def revoke_the_others(by: str) -> None:
        for email in (other for other in people if other != by):
            try:
                revoke(email, Role.OWNER, org_id=acme, by=by)
            except BadInput:
                continue

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(revoke_the_others, people))

    assert len(_roles()) == 1


def test_a_role_of_one_organisation_is_none_in_another(acme: UUID) -> None:  # noqa: ARG001
    other = create_organization("other", "Other", owner=EVE, owner_name="Eve")

    with pytest.raises(BadInput, match="a member with role operator or owner"):
        add_person(BOB, "Bob", Role.AUDITOR, org_id=other, by=ANN)


def test_nothing_starts_for_a_suspended_organisation(acme: UUID) -> None:
    request = RunRequest(org="acme", initiator=ANN, title="Report")
    assert admit(request) == acme

    assert _said(org, "suspend", "acme", "--reason", "unpaid").startswith("organisation acme: suspended by operator")

    with pytest.raises(BadInput, match="an active organisation; this one is suspended"):
        admit(request)
    assert "not suspended" in _refusal(org, "suspend", "acme", "--reason", "again")
    shown = json.loads(_said(org, "show", "acme", "--json"))
    assert (shown["status"], shown["suspended_by"], shown["suspended_because"]) == ("suspended", OPERATOR, "unpaid")
    assert _said(org, "resume", "acme") == "organisation acme: resumed by operator; no run waits for that\n"
    assert admit(request) == acme
    assert _events()[1:] == [("organization.suspended", OPERATOR), ("organization.resumed", OPERATOR)]


def test_an_owner_ends_an_owners_suspension_and_not_the_operators(acme: UUID) -> None:
    add_person(BOB, "Bob", Role.OWNER, org_id=acme, by=ANN)
    suspend(acme, "broken into", by=ANN)
    assert resume(acme, by=BOB)

    suspend(acme, "unpaid", by=OPERATOR)
    with pytest.raises(BadInput, match="the operator, who has suspended it"):
        resume(acme, by=ANN)
    with system_session() as session:
        found = find_organization("acme", session=session)
    assert found
    assert found.status == "suspended"


def test_nobody_passes_for_the_operator(acme: UUID) -> None:
    suspend(acme, "unpaid", by=OPERATOR)

    assert _refusal(org, "resume", "acme", "--as", "operator") == (
        "--as: 'operator' is not accepted; allowed: an email address"
    )


def test_organisations_are_listed(acme: UUID) -> None:  # noqa: ARG001
    listed = json.loads(_said(org, "list", "--json"))

    assert [(each["slug"], each["status"], each["open_runs"]) for each in listed] == [("acme", "active", 0)]
    assert "Acme Ltd" in _said(org, "show", "acme")
    assert "organisations" in _said(org, "list")
