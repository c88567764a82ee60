"""`maos rules` as a person calls it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner

from console.rules import rules
from maos.plans import Plan
from sql.organizations import ensure_member
from sql.session import org_session, system_session
from sql.tables import AgentInvocation
from tests.rows import add_approval, add_run
from tests.rule_books import ProjectRules, document

ROOT = Path(__file__).parent.parent.parent
OWNER = "owner@demo.example"


@pytest.fixture(autouse=True)
def project(org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProjectRules:
    """The project's rules; the organisation has an owner."""
    with system_session() as session:
        ensure_member(OWNER, "Owner", "owner", org_id=org_id, session=session)
    found = ProjectRules(monkeypatch, tmp_path)
    found.say("limits: {steps: 9, cost_usd: 5}\nforbidden_terms: [falcon]", prose="House.")
    return found


def own(folder: Path, block: str, prose: str = "Ours.") -> str:
    file = folder / "own.md"
    file.write_text(document(block, prose))
    return str(file)


def said(*arguments: str) -> str:
    done = CliRunner().invoke(rules, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def read(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


def maos(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, "-c", "from console.main import main; main()", "rules", *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )


def test_a_faulty_document_exits_with_2_and_names_every_fault(tmp_path: Path) -> None:
    file = own(tmp_path, "limits: {steps: 0}\nask_first: {fly: {roles: [king]}}")
    done = maos("check", file, MAOS_HOME=str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "maos: the rules in the document are refused: "
        "line 6: limits.steps: '0' is not accepted; allowed: a whole number from 1 to 100; "
        "line 7: ask_first.fly.roles: 'king' is not accepted; allowed: a list of owner, reviewer, at least one\n"
    )


def test_the_packaged_rules_pass_without_anything_that_runs(tmp_path: Path) -> None:
    packaged = "deployments/rules/CLAUDE.md"
    done = maos("check", packaged, MAOS_HOME=str(tmp_path), MAOS_RULES_FILE=packaged)

    assert (done.returncode, done.stderr) == (0, "")
    assert "is accepted; it would change: none" in done.stdout


def test_the_example_is_accepted_under_the_packaged_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_RULES_FILE", str(ROOT / "deployments" / "rules" / "CLAUDE.md"))
    said("set", str(ROOT / "examples" / "rules.md"), "--org", "demo", "--as", OWNER)

    shown = read("show", "--org", "demo")["rules"]
    assert shown["limits.steps"] == "20"
    assert shown["stays_inside.patterns"] == "card_number, iban"


def test_an_unknown_action_and_a_looser_limit_are_refused_together(tmp_path: Path) -> None:
    file = own(tmp_path, "limits: {steps: 10}\nask_first: {fly: {}}")
    done = maos("check", file, "--org", "demo")

    assert done.returncode == 2
    assert "action 'fly' is unknown; allowed: aggregate_metrics, " in done.stderr
    assert "limits.steps: '10' is looser than the project's rules; allowed: at most 9" in done.stderr


def test_checking_says_what_would_be_tighter_and_stores_nothing(tmp_path: Path) -> None:
    file = own(tmp_path, "limits: {steps: 3}\nask_first: {send_email: {roles: [owner]}}")

    assert read("check", file, "--org", "demo") == [
        {"key": "limits.steps", "before": "9", "after": "3", "direction": "tighter"},
        {"key": "ask_first.send_email", "before": "", "after": "owner", "direction": "tighter"},
    ]
    assert read("show", "--org", "demo")["organization_version"] == 0


def test_stored_rules_are_shown_with_their_sources(tmp_path: Path) -> None:
    file = own(tmp_path, "limits: {steps: 3}\nforbidden_terms: [eagle]")

    stored, again = (said("set", file, "--org", "demo", "--as", OWNER) for _ in range(2))
    shown = read("show", "--org", "demo")

    assert stored == f"rules of demo: version 1 stored by {OWNER}\n"
    assert again == "rules of demo: unchanged; version 1 holds\n"
    assert shown["rules"] == {"forbidden_terms": "eagle, falcon", "limits.steps": "3", "limits.cost_usd": "5"}
    assert shown["prose"].index("House.") < shown["prose"].index("Ours.")
    assert len(shown["digest"]) == 64
    assert "organisation's: version 1; digest" in said("show", "--org", "demo")


def test_only_an_owner_stores_rules(tmp_path: Path) -> None:
    done = maos("set", own(tmp_path, "limits: {steps: 3}"), "--org", "demo", "--as", "reviewer@demo.example")

    assert done.returncode == 2
    assert done.stderr == ("maos: --as: 'reviewer@demo.example' is not accepted; allowed: a member with role owner\n")
    assert read("show", "--org", "demo")["organization_version"] == 0


def test_rules_are_compared_key_by_key_with_a_file_and_between_versions(tmp_path: Path) -> None:
    said("set", own(tmp_path, "limits: {steps: 3}\nwebhooks: {hosts: [a.example]}"), "--org", "demo", "--as", OWNER)
    second = own(tmp_path, "limits: {steps: 2}\nwebhooks: {hosts: [b.example]}")

    expected = [
        {"key": "limits.steps", "before": "3", "after": "2", "direction": "tighter"},
        {"key": "webhooks.hosts", "before": "a.example", "after": "b.example", "direction": "tighter and looser"},
    ]
    assert read("diff", second, "--org", "demo") == expected
    said("set", second, "--org", "demo", "--as", OWNER)
    assert read("diff", "--org", "demo", "--from", "1", "--to", "2") == expected
    assert read("diff", "--org", "demo", "--from", "2", "--to", "0") == [
        {"key": "limits.steps", "before": "2", "after": "9", "direction": "looser"},
        {"key": "webhooks.hosts", "before": "b.example", "after": "", "direction": "looser"},
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("show", "--org", "nobody"), "maos: org: 'nobody' is not accepted"),
        (("diff", "--org", "demo"), "maos: FILE: '' is not accepted; allowed: either a file, or --to"),
        (("diff", "--org", "demo", "--to", "7"), "maos: --to: '7' is not accepted; allowed: the number of a stored"),
        (("check", "nowhere.md"), "maos: FILE: 'nowhere.md' is not accepted; allowed: a file that can be read"),
        (("rehearse", "--org", "nobody"), "maos: org: 'nobody' is not accepted"),
    ],
)
def test_bad_input_is_named(arguments: tuple[str, ...], complaint: str) -> None:
    done = maos(*arguments)

    assert done.returncode == 2
    assert done.stderr.startswith(complaint)


def test_a_missing_file_of_rules_is_told(project: ProjectRules) -> None:
    project.file.unlink()
    done = maos("show", "--org", "demo")

    assert done.returncode == 2
    assert done.stderr.startswith("maos: the rules in the project's file of rules (MAOS_RULES_FILE) are refused: ")
    assert done.stderr.endswith("CLAUDE.md: it cannot be read: No such file or directory\n")


@pytest.fixture
def history(org_id: UUID) -> dict[str, UUID]:
    """Two runs of this month: one wrote and mailed, with an approval; the other was old, or mailed elsewhere."""
    steps = [
        {"id": "write", "agent": "w", "engine": "claude_cli", "action": "write_narrative", "parameters": {}},
        {
            "id": "mail",
            "agent": "m",
            "engine": "internal_service",
            "action": "send_email",
            "parameters": {"to": ["ann@example.com"], "subject": "{{ x }}", "body": ""},
        },
    ]
    plan = Plan.model_validate({"steps": steps})
    now = datetime.now(UTC)
    ids = {
        # A cap that the rules of its time gave it.
        name: add_run(org_id, plan=plan.model_dump(mode="json"), plan_digest=plan.digest, budget_cap_usd=Decimal(9))
        for name in ("good", "elsewhere", "old")
    }
    for name, days, to in (("good", 1, "ann@example.com"), ("elsewhere", 2, "eve@evil.example"), ("old", 90, "x@y.zz")):
        asked_at = now - timedelta(days=days)
        add_approval(
            org_id,
            ids[name],
            step_id="mail",
            action="send_email",
            payload={"parameters": {"to": [to], "subject": "Hello", "body": ""}},
            started_at=asked_at,
            expires_at=asked_at + timedelta(hours=1),
        )
        for attempt, cost in ((1, "0.25"), (2, "0.50")):
            row = AgentInvocation(
                org_id=org_id,
                run_id=ids[name],
                step_id="write",
                attempt=attempt,
                agent_name="w",
                engine_type="claude_cli",
                action="write_narrative",
                rehearsal=False,
                input_summary="Write.",
                status="in_doubt",
                token_cost_estimate=Decimal(2),
                cost_usd=Decimal(cost),
                started_at=asked_at,
            )
            with org_session(org_id) as session:
                session.add(row)
    return ids


def test_a_rehearsal_counts_the_past(history: dict[str, UUID], tmp_path: Path) -> None:
    file = own(tmp_path, "email: {domains: [example.com]}\nask_first: {write_narrative: {roles: [owner]}}")
    found = read("rehearse", "--org", "demo", "--rules", file, "--days", "30")

    assert [{name: each[name] for name in each if name != "examples"} for each in found["actions"]] == [
        {
            "action": "send_email",
            "alone": 0,
            "waits": 1,
            "refused": 1,
            "asked_then": 2,
            "by_plan": 0,
            "spent_usd": "0",
            "at_most_usd": "0",
        },
        {
            "action": "write_narrative",
            "alone": 0,
            "waits": 2,
            "refused": 0,
            "asked_then": 0,
            "by_plan": 2,
            "spent_usd": "1.5",
            "at_most_usd": "8",
        },
    ]
    refused = found["actions"][0]["examples"][0]
    assert (refused["run_id"], refused["verdict"]) == (str(history["elsewhere"]), "refused")
    # Two texts wait for the owner alone; the email for the owner or the reviewer.
    assert found["reviewers"] == [
        {"reviewer": OWNER, "may_decide": 3, "share": "2.50", "per_day": "0.08"},
        {"reviewer": "reviewer@demo.example", "may_decide": 1, "share": "0.50", "per_day": "0.02"},
    ]
    assert [(each["verdict"], each["actions"], each["at_most_usd"]) for each in found["stakes"]] == [
        ("refused", 1, "0"),
        ("waits", 3, "8"),
        ("alone", 0, "0"),
    ]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("autonomy", "days", "email", "text"),
    [
        (None, 30, (0, 2, 0), (2, 0, 0)),
        ("supervised", 30, (0, 2, 0), (0, 2, 0)),
        ("autonomous", 365, (3, 0, 0), (3, 0, 0)),
    ],
)
def test_autonomy_is_rehearsed_under_the_rules_that_hold(
    autonomy: str | None,
    days: int,
    email: tuple[int, int, int],
    text: tuple[int, int, int],
) -> None:
    options = ["--autonomy", autonomy] if autonomy else []
    found = read("rehearse", "--org", "demo", "--days", str(days), *options)

    counted = {each["action"]: (each["alone"], each["waits"], each["refused"]) for each in found["actions"]}
    assert counted == {"send_email": email, "write_narrative": text}


@pytest.mark.usefixtures("history")
def test_people_read_a_rehearsal_as_tables() -> None:
    told = said("rehearse", "--org", "demo")

    assert "past actions" in told
    assert "risk high under semi_autonomous" in told
    assert "4 actions of 30 days" in told
