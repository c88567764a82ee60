"""`maos policy` as a person calls it."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from console.policy import policy
from maos.autonomy import AutonomyLevel
from maos.errors import BadInput, PolicyRefused
from maos.requests import RunRequest
from sql.audit import verify_chain
from sql.organizations import ensure_member
from sql.session import org_session, system_session
from tasks.admission import admit
from tasks.ledger import find_run
from tasks.policies import policy_book
from tests.gates import rows
from tests.rows import add_run

OWNER = "owner@demo.example"
ROOT = Path(__file__).parent.parent.parent
EXAMPLE = str(ROOT / "examples" / "policy.yaml")


@pytest.fixture(autouse=True)
def owner(org_id: UUID) -> None:
    with system_session() as session:
        ensure_member(OWNER, "Owner", "owner", org_id=org_id, session=session)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(policy, arguments)


def said(*arguments: str) -> str:
    done = call(*arguments)
    assert done.exception is None, done.exception
    return done.output


def read(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


def stored(folder: Path, document: str, reason: str = "because") -> str:
    file = folder / "policy.yaml"
    file.write_text(document)
    return said("set", str(file), "--org", "demo", "--as", OWNER, "--reason", reason)


def refused(folder: Path, document: str, *options: str) -> BaseException | None:
    file = folder / "policy.yaml"
    file.write_text(document)
    return call("check", str(file), *options).exception


def test_without_a_policy_the_settings_of_the_organisation_hold(org_id: UUID) -> None:
    shown = read("show", "--org", "demo")

    assert (shown["version"], shown["policy"]["autonomy"]) == (0, "semi_autonomous")
    assert [row["high"] for row in shown["autonomy_table"]] == ["waits", "waits", "runs"]
    assert [row["expires_after"] for row in shown["approvals"]] == ["72 h", "24 h", "8 h", "4 h"]
    assert policy_book(org_id).version == 0


def test_the_example_is_stored_and_shown_with_who_stored_it_and_why(org_id: UUID) -> None:
    answer = said("set", EXAMPLE, "--org", "demo", "--as", f" {OWNER.upper()}", "--reason", "two people for money")
    again = said("set", EXAMPLE, "--org", "demo", "--as", OWNER, "--reason", "once more")
    shown = read("show", "--org", "demo")

    assert answer == f"policy of demo: version 1 stored by {OWNER}\n"
    assert again == "policy of demo: unchanged; 1 holds\n"
    assert (shown["version"], shown["stored_by"], shown["reason"]) == (1, OWNER, "two people for money")
    assert shown["policy"]["teams"] == {"billing": {"autonomy": "supervised"}, "research": {"autonomy": None}}
    assert shown["risk_rules"][0] == {"of": "everybody", "rule": "critical, where it reaches more than 10 people"}
    assert shown["approvals"][3]["approved_by"] == (
        "review: reviewer, then money: owner where it moves more than 1000 EUR"
    )
    told = said("show", "--org", "demo")
    assert "semi_autonomous │ runs  │ waits" in told
    assert f"version 1 of demo, stored by {OWNER} at " in told
    assert rows("SELECT event, actor, was_automatic FROM agent_action_audit_log") == [("policy.stored", OWNER, False)]
    with org_session(org_id) as session:
        assert verify_chain(org_id, session=session) == (1, None)


def test_every_version_is_kept_and_compared(tmp_path: Path) -> None:
    stored(tmp_path, "autonomy: supervised", "careful")
    stored(tmp_path, "autonomy: autonomous\nread_only_exempt: true", "trust")

    assert [(row["version"], row["reason"]) for row in read("history", "--org", "demo")] == [
        (2, "trust"),
        (1, "careful"),
    ]
    expected = [
        {"key": "autonomy", "before": "supervised", "after": "autonomous"},
        {"key": "read_only_exempt", "before": "no", "after": "yes"},
    ]
    assert read("diff", "--org", "demo", "--from", "1", "--to", "2") == expected
    assert read("diff", "--org", "demo", "--from", "1", "--to", "0") == [
        {"key": "autonomy", "before": "supervised", "after": "semi_autonomous"}
    ]
    file = tmp_path / "policy.yaml"
    file.write_text("autonomy: autonomous")
    assert read("diff", str(file), "--org", "demo") == [{"key": "read_only_exempt", "before": "yes", "after": "no"}]


def test_checking_says_what_would_change_and_stores_nothing(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("autonomy: supervised")

    assert read("check", str(file), "--org", "demo") == [
        {"key": "autonomy", "before": "semi_autonomous", "after": "supervised"}
    ]
    assert read("history", "--org", "demo") == []


def test_what_a_document_leaves_out_stays_as_the_organisation_has_it(org_id: UUID, tmp_path: Path) -> None:
    with system_session() as session:
        session.execute(text("UPDATE organizations SET autonomy = 'supervised', read_only_exempt = true"))
    stored(tmp_path, "teams: {billing: {}}")
    run = find_run(add_run(org_id))

    assert policy_book(org_id).policy.autonomy is AutonomyLevel.SUPERVISED
    assert run is not None
    assert run.read_only_exempt
    stored(tmp_path, "read_only_exempt: false")
    run = find_run(run.id)
    assert run is not None
    assert not run.read_only_exempt


@pytest.mark.parametrize(
    ("document", "options", "fault"),
    [
        (
            "risk_rules: [{raise_to: high, actions: [fly]}]",
            (),
            "risk_rules.1.actions: 'fly' is not accepted; allowed: a",
        ),
        (
            "approvals: {high: {on_expiry: approve}}",
            (),
            "allowed: one of reject, escalate, skip; silence never approves",
        ),
        (
            "approvals: {high: {stages: [{groups: [{users: [eve@b.example]}]}]}}",
            ("--org", "demo"),
            "approvals.high.stages.1.groups.1.users: 'eve@b.example' is not accepted; allowed: members of the organ",
        ),
        (
            "approvals: {high: {stages: [{groups: [{roles: [owner], needed: 2}]}]}}",
            ("--org", "demo"),
            "approvals.high.stages.1: stage 'approval' takes 2 of owner, each person once in all stages; the organisat",
        ),
    ],
)
def test_what_could_not_be_carried_out_is_refused(
    tmp_path: Path, document: str, options: tuple[str, ...], fault: str
) -> None:
    error = refused(tmp_path, document, *options)

    assert isinstance(error, PolicyRefused)
    assert fault in str(error)


def test_a_policy_that_is_refused_is_not_stored(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("approvals: {high: {stages: [{groups: [{needed: 9}]}]}}")
    done = call("set", str(file), "--org", "demo", "--as", OWNER, "--reason", "many")

    assert isinstance(done.exception, PolicyRefused)
    assert rows("SELECT count(*) FROM organization_policies") == [(0,)]


@pytest.mark.parametrize(
    ("person", "reason", "field"),
    [("reviewer@demo.example", "because", "--as"), ("eve@b.example", "because", "--as"), (OWNER, "  ", "--reason")],
)
def test_only_an_owner_with_a_reason_stores_a_policy(person: str, reason: str, field: str) -> None:
    done = call("set", EXAMPLE, "--org", "demo", "--as", person, "--reason", reason)

    assert isinstance(done.exception, BadInput)
    assert done.exception.field == field
    assert rows("SELECT count(*) FROM organization_policies") == [(0,)]


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"team": "sales"}, "team", "billing, research"),
        ({"team": "billing", "autonomy": "autonomous"}, "autonomy", "supervised or stricter for demo, team billing"),
        ({"autonomy": "autonomous"}, "autonomy", "semi_autonomous or stricter for demo"),
    ],
)
def test_a_request_names_a_team_of_the_policy_and_is_no_freer_than_it(
    tmp_path: Path, fields: dict[str, str], field: str, allowed: str
) -> None:
    stored(tmp_path, "teams: {billing: {autonomy: supervised}, research: {}}")
    request = {"org": "demo", "initiator": "author@demo.example", "title": "Test", **fields}

    with pytest.raises(BadInput) as refusal:
        admit(RunRequest.model_validate(request))
    assert (refusal.value.field, refusal.value.allowed) == (field, allowed)


def test_where_the_policy_names_no_teams_none_is_accepted() -> None:
    request = RunRequest(org="demo", initiator="author@demo.example", title="Test", team="billing")

    with pytest.raises(BadInput, match="none: the organisation's policy names no teams"):
        admit(request)
