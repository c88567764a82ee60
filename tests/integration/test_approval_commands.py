"""`maos approvals` as a person calls it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from prefect.client.orchestration import get_client

from console.approvals import approvals
from maos.approval_policy import ApprovalPolicy, Group, Stage
from maos.approvals import Approval, ApprovalKind
from maos.errors import BadInput, DecisionRefused
from maos.statuses import ApprovalStatus
from sql.approvals import find_approval
from sql.organizations import ensure_member, ensure_organization
from sql.session import system_session
from tests.gates import REVIEWER, pending, rows, wait_for
from tests.plans import Bench, step
from tests.rows import add_approval, add_run
from tests.sleeping import fall_asleep, is_asleep, sleeping_run

OTHER = "second@demo.example"
TWO_OF_THEM = ApprovalPolicy(stages=(Stage(groups=(Group(needed=2),)),)).model_dump(mode="json")


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """The id of the organisation; the settings name the Prefect server."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    return org_id


def call(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(approvals, arguments, catch_exceptions=False, **options)


def said(*arguments: str, **options: Any) -> str:
    done = call(*arguments, **options)
    assert done.exit_code == 0, done.output
    return done.output


def listed(*arguments: str) -> list[str]:
    return [row["step_id"] for row in json.loads(said("list", *arguments, "--json"))]


def read(approval_id: UUID) -> Approval:
    with system_session() as session:
        found = find_approval(approval_id, session=session)
    assert found is not None
    return found


def add(org_id: UUID, step_id: str, **changes: object) -> UUID:
    return add_approval(org_id, add_run(org_id), step_id=step_id, **changes)


def test_the_riskiest_come_first_then_the_oldest_page_by_page(org_id: UUID) -> None:
    now = datetime.now(UTC)
    for name, risk, hours in [
        ("low", "low", 9),
        ("old", "high", 5),
        ("critical", "critical", 1),
        ("new", "high", 2),
        ("medium", "medium", 7),
    ]:
        add(org_id, name, risk=risk, started_at=now - timedelta(hours=hours))

    assert listed() == ["critical", "old", "new", "medium", "low"]
    first = json.loads(said("list", "--limit", "2", "--json"))
    assert listed("--limit", "2", "--after", first[-1]["id"]) == ["new", "medium"]
    assert "--after" in said("list", "--limit", "2")


def test_a_list_is_narrowed_by_organisation_team_risk_entrypoint_and_expiry(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    soon = datetime.now(UTC) + timedelta(minutes=30)
    later = soon + timedelta(hours=9)
    add_approval(org_id, add_run(org_id, team="sales"), step_id="later", expires_at=later)
    add(org_id, "soon", risk="low", expires_at=soon)
    add(other, "elsewhere", expires_at=later)
    done = add(org_id, "done")
    rows_after = (
        f"UPDATE agent_pending_actions SET status = 'cancelled', decided_at = now() WHERE id = '{done}' RETURNING 1"
    )
    assert rows(rows_after)

    assert listed("--org", "demo") == ["later", "soon"]
    assert listed("--org", "other") == ["elsewhere"]
    assert listed("--risk", "low") == ["soon"]
    assert listed("--team", "sales") == ["later"]
    assert listed("--expiring-within", "2h") == ["soon"]
    assert listed("--status", "cancelled") == ["done"]
    assert set(listed("--status", "all")) == {"later", "soon", "elsewhere", "done"}
    assert set(listed("--entrypoint", "generate-report")) == {"later", "soon", "elsewhere"}
    assert call("list", "--entrypoint", "nothing").exit_code == 2
    assert call("list", "--expiring-within", "soon").exit_code == 2


def test_a_list_says_who_decides_how_far_it_is_and_how_long_there_is(org_id: UUID) -> None:
    add(org_id, "act", policy=TWO_OF_THEM, expires_at=datetime.now(UTC) + timedelta(hours=1, minutes=12, seconds=30))

    shown = said("list")

    assert "in 1 h 12 min" in shown
    assert "0 of 2" in shown
    assert "2 of owner or reviewer" in shown


def test_nothing_in_a_list_commands_the_terminal(org_id: UUID) -> None:
    add(org_id, "act", action="\x1b[2Jact")

    assert "\x1b" not in said("list")


def test_a_vote_that_does_not_decide_says_what_is_missing_and_wakes_the_run(server: UUID) -> None:
    with system_session() as session:
        ensure_member(OTHER, "Second", "reviewer", org_id=server, session=session)
    run_id = sleeping_run(server)
    approval_id = str(add_approval(server, run_id, policy=TWO_OF_THEM))

    first = said("approve", approval_id, "--as", REVIEWER)

    assert "more are needed" in first
    assert "1 more of owner or reviewer" in first
    assert not is_asleep(run_id)
    assert "1 of 2" in said("list")
    assert REVIEWER in said("show", approval_id)
    with get_client(sync_client=True) as client:
        fall_asleep(run_id, client=client, gate=2)
    assert "approved by second@demo.example" in said("approve", approval_id, "--as", OTHER)


def test_a_code_is_asked_for_at_a_terminal_where_the_policy_takes_one(
    server: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.decisions.at_terminal", lambda: True)
    policy = ApprovalPolicy(codes_required=True).model_dump(mode="json")
    approval_id = str(add_approval(server, sleeping_run(server), policy=policy))

    with pytest.raises(DecisionRefused, match="one-time code"):
        call("approve", approval_id, "--as", REVIEWER, input="123456\n")
    monkeypatch.setattr("console.decisions.at_terminal", lambda: False)
    with pytest.raises(DecisionRefused, match="takes a one-time code"):
        call("approve", approval_id, "--as", REVIEWER)


def test_what_cannot_be_decided_is_said_before_anything_else(org_id: UUID) -> None:
    approval_id = str(add(org_id, "act"))

    with pytest.raises(BadInput, match="approve or reject or edit"):
        call("respond", approval_id, "--as", REVIEWER, "--note", "no")
    with pytest.raises(DecisionRefused, match="no longer what was seen"):
        call("approve", approval_id, "--as", REVIEWER, "--seen", "ffff")


@pytest.fixture
def waiting(bench: Bench, server: UUID) -> Bench:  # noqa: ARG001 - the settings name the server
    """A bench with one step that waits for a person."""
    bench.plan(step("act", "note_high", text="first"))
    return bench


def test_an_edit_shows_the_difference_runs_edited_and_stays_on_record(waiting: Bench) -> None:
    run = waiting.run_beside()
    (asked,) = wait_for(pending)

    declined = call("edit", str(asked.id), "--as", REVIEWER, "--set", 'text="second"', input="n\n")
    assert declined.exit_code == 1
    assert "second" in declined.output
    edited = said("edit", str(asked.id), "--as", REVIEWER, "--set", 'text="second"', "--yes")

    assert "approved by reviewer@demo.example" in edited
    assert run.end().is_completed()
    assert waiting.effects == ["second"]
    shown = said("show", str(asked.id))
    assert "edit 1, by reviewer@demo.example" in shown
    assert "first" in shown
    assert json.loads(said("show", str(asked.id), "--json"))["edits"][0]["revision"] == 2


def test_an_edit_comes_from_an_editor_or_a_file_too(
    waiting: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("console.edits.at_terminal", lambda: True)
    monkeypatch.setattr("click.edit", lambda text, extension: text.replace("first", "third"))  # noqa: ARG005
    file = tmp_path / "wrong.json"
    file.write_text('{"text": {"no": "text"}}')
    run = waiting.run_beside()
    (asked,) = wait_for(pending)

    with pytest.raises(DecisionRefused, match="schema"):
        call("edit", str(asked.id), "--as", REVIEWER, "--file", str(file), "--yes")
    said("edit", str(asked.id), "--as", REVIEWER, "--yes")

    assert run.end().is_completed()
    assert waiting.effects == ["third"]


@pytest.mark.parametrize("change", ['text="first"', "text", "text=second", 'other="x"'])
def test_an_edit_that_changes_nothing_or_cannot_be_read_is_refused(waiting: Bench, change: str) -> None:
    run = waiting.run_beside()
    (asked,) = wait_for(pending)

    with pytest.raises(BadInput):
        call("edit", str(asked.id), "--as", REVIEWER, "--set", change, "--yes")

    said("reject", str(asked.id), "--as", REVIEWER, "--note", "no")
    run.end()


def test_a_plan_is_approved_at_once_on_the_command_line(bench: Bench, server: UUID) -> None:  # noqa: ARG001
    bench.plan(step("one", "note_high", text="first"), step("two", "note_high", text="second"))
    run = bench.run_beside(approve_plan=True)
    (asked,) = wait_for(pending)

    assert asked.kind is ApprovalKind.PLAN
    assert "approve_plan" in said("list")
    shown = said("show", str(asked.id))
    assert "first" in shown
    assert "second" in shown
    said("approve", str(asked.id), "--as", REVIEWER)

    assert run.end().is_completed()
    assert sorted(bench.effects) == ["first", "second"]
    assert "steps that it covers" in said("show", str(asked.id))
    assert read(asked.id).status is ApprovalStatus.APPROVED
