"""`maos notices` as an operator calls it."""

import json
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from console.notices import notices
from maos.errors import BadInput
from maos.notices import NoticeKind
from sql.approvals import find_approval
from sql.session import org_session
from tasks.notices import tell
from tests.gates import rows
from tests.rows import add_approval, add_run

pytestmark = pytest.mark.usefixtures("org_id")
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def _call(*arguments: str) -> Result:
    return CliRunner().invoke(notices, arguments)


def _said(*arguments: str) -> str:
    done = _call(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_a_route_is_added_listed_and_removed_and_the_audit_log_says_so() -> None:
    _said("route", "add", "--org", "demo", "--role", "reviewer", "--channel", "slack", "--target", "approvals")
    (listed,) = json.loads(_said("route", "list", "--org", "demo", "--json"))

    assert (listed["role"], listed["channel"], listed["target"]) == ("reviewer", "slack", "approvals")

    _said("route", "remove", listed["id"])

    assert json.loads(_said("route", "list", "--json")) == []
    assert [event for (event,) in rows("SELECT event FROM agent_action_audit_log ORDER BY sequence")] == [
        "notice_route.added",
        "notice_route.removed",
    ]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--channel", "email"), "--role, --person"),
        (("--role", "chief", "--channel", "email"), "role"),
        (("--person", "stranger@demo.example", "--channel", "email"), "person"),
        (("--role", "owner", "--channel", "slack"), "target"),
        (("--role", "owner", "--channel", "slack", "--target", SLACK), "target"),
        (("--role", "owner", "--channel", "email", "--target", "nobody"), "target"),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(options: tuple[str, ...], field: str) -> None:
    refused = _call("route", "add", "--org", "demo", *options).exception

    assert isinstance(refused, BadInput)
    assert refused.field == field
    # The address of a Slack channel is its password.
    assert "hooks.slack.com" not in str(refused)
    assert rows("SELECT count(*) FROM notice_routes") == [(0,)]


def test_the_same_route_is_refused_the_second_time() -> None:
    route = ("route", "add", "--org", "demo", "--role", "owner", "--channel", "email")
    _said(*route)

    assert isinstance(_call(*route).exception, BadInput)


def test_what_is_due_is_listed(org_id: UUID) -> None:
    approval_id = add_approval(org_id, add_run(org_id))
    with org_session(org_id) as session:
        found = find_approval(approval_id, session=session)
        assert found is not None
        tell(NoticeKind.REQUESTED, [found], session=session)

    listed = json.loads(_said("list", "--org", "demo", "--json"))

    assert {(each["approval_id"], each["address"], each["sent_at"]) for each in listed} == {
        (str(approval_id), "owner@demo.example", None),
        (str(approval_id), "reviewer@demo.example", None),
    }
