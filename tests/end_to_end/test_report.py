"""The main job through its deployment: planned, computed, stopped for approval, approved, published, accounted for."""

import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT, Maos, wait_for

REVIEWER = "reviewer@demo.example"


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [value for name, value in attrs if name in {"src", "href"} and str(value).startswith("http")]

    def handle_data(self, data: str) -> None:
        self.text += data


def _approval(maos: Maos, run_id: str) -> str:
    (approval,) = [row for row in maos.json("approvals", "list") if row["run_id"] == run_id]
    return str(approval["id"])


def test_a_report_waits_without_a_process_and_is_published_after_approval(maos: Maos) -> None:
    run_id = maos.start_report()

    shown = maos.json("runs", "show", run_id)
    assert shown["status"] == "paused"
    assert shown["invocations"][0]["step_id"] == "profile_data"
    wait_for(lambda: not maos.flow_processes(run_id))
    assert not (maos.home / "artifacts" / "demo" / run_id / "published").exists()

    said = maos.run("approvals", "approve", _approval(maos, run_id)[:8], "--as", REVIEWER, "--note", "well done")
    assert "approved by reviewer@demo.example" in said
    shown = maos.shown(run_id, "status = 'completed'")

    assert [(row["step_id"], row["status"], row["attempt"]) for row in shown["invocations"]] == [
        (row["step_id"], "completed", 1) for row in shown["invocations"]
    ]
    assert sorted(row["step_id"] for row in shown["invocations"]) == [
        "aggregate_metrics",
        "draw_charts",
        "profile_data",
        "publish_report",
        "write_narrative",
    ]
    _check_report(maos, run_id, shown["result"]["publish_report"]["page"])
    trail = [row["event"] for row in maos.json("audit", "list", "--run", run_id)]
    assert trail[0] == "run.opened"
    assert trail[-4:] == ["approval.requested", "approval.approved", "step.completed", "run.completed"]
    assert "the chain holds" in maos.run("audit", "verify")


def _check_report(maos: Maos, run_id: str, page: dict[str, str]) -> None:
    path = maos.home / "artifacts" / "demo" / run_id / page["name"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == page["sha256"]
    parsed = _Page(path.read_text())
    assert {"svg", "table", "h1"} <= parsed.tags
    assert "script" not in parsed.tags
    assert run_id in parsed.text
    assert "rehearsal" in parsed.text.lower()
    assert path.with_name("report.md").is_file()


def test_a_rejected_report_is_not_published(maos: Maos) -> None:
    run_id = maos.start_report()

    maos.run("approvals", "reject", _approval(maos, run_id), "--as", REVIEWER, "--note", "wrong quarter")
    shown = maos.shown(run_id, "status = 'cancelled'")

    assert shown["error_summary"] == f"step 'publish_report' was rejected by {REVIEWER}: wrong quarter"
    assert not (maos.home / "artifacts" / "demo" / run_id / "published").exists()


def test_a_second_decision_is_told_who_was_first(maos: Maos) -> None:
    approval = _approval(maos, maos.start_report())
    maos.run("approvals", "approve", approval, "--as", REVIEWER)

    refused = maos.run("approvals", "reject", approval, "--as", REVIEWER, "--note", "late", expect=1)

    assert f"already approved by {REVIEWER} at " in refused


def test_a_run_that_was_cancelled_while_it_waited_can_no_longer_be_approved(maos: Maos) -> None:
    run_id = maos.start_report()
    approval = _approval(maos, run_id)
    maos.prefect("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLED"}, "force": True})

    refused = maos.run("approvals", "approve", approval, "--as", REVIEWER, expect=1)

    assert "already cancelled by maos at " in refused
    assert maos.json("runs", "show", run_id)["status"] == "cancelled"
    assert [row for row in maos.json("approvals", "list") if row["run_id"] == run_id] == []


def test_prefects_retry_of_a_failed_run_reuses_what_is_finished(maos: Maos) -> None:
    run_id = maos.start_report("--param", "title=Failed")
    (chart, *_) = (maos.home / "artifacts" / "demo" / run_id).rglob("*.svg")
    drawn = chart.read_bytes()
    chart.unlink()
    maos.run("approvals", "approve", _approval(maos, run_id), "--as", REVIEWER)
    failed = maos.shown(run_id, "completed_at IS NOT NULL")
    assert failed["error_summary"] == "step 'publish_report' failed: the engine did not deliver (bad request)"
    chart.write_bytes(drawn)

    _retry(maos, run_id)

    ended = maos.shown(run_id, "status = 'completed'")
    assert ended["attempt"] == 2
    attempts = sorted((row["step_id"], row["status"]) for row in ended["invocations"])
    assert attempts == [
        ("aggregate_metrics", "completed"),
        ("draw_charts", "completed"),
        ("profile_data", "completed"),
        ("publish_report", "completed"),
        ("publish_report", "failed"),
        ("write_narrative", "completed"),
    ]


def _retry(maos: Maos, run_id: str) -> None:
    import httpx

    connection = maos.connection()
    user, password = connection["prefect_api_auth_string"].split(":")
    answer = httpx.post(
        f"{connection['prefect_api_url']}/flow_runs/{run_id}/set_state",
        json={"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True},
        auth=(user, password),
    )
    answer.raise_for_status()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--org", "nowhere"), "org: 'nowhere' is not accepted; allowed: organisations of author@demo.example: demo"),
        (("--param", "measures=profit"), "measures: 'profit' is not accepted; allowed: "),
        (("--param", "dimensions=colour"), "dimensions: 'colour' is not accepted; allowed: "),
        (("--param", "period_column=region"), "period_column: 'region' is not accepted; allowed: order_date"),
        (("--param", "measures=[revenue"), "measures: '[revenue' is not accepted; allowed: a JSON list"),
        (("--param", "dataset=/nowhere.csv"), "dataset: '/nowhere.csv' is not accepted; allowed: "),
        (("--param", "autonomy=autonomous"), "autonomy: 'autonomous' is not accepted; allowed: semi_autonomous"),
        (("--param", "cost_cap_usd=-1"), "cost_cap_usd: '-1' is not accepted; allowed: "),
        (("--param", "colour=red"), "colour: 'red' is not accepted; allowed: one of the fields org, "),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_created(
    maos: Maos, arguments: tuple[str, ...], named: str
) -> None:
    before = maos.rows("SELECT count(*) FROM orchestrator_runs")

    request = str(ROOT / "examples" / "generate_report" / "request.json")
    said = maos.run("run", "generate_report", "--request", request, *arguments, expect=2)

    assert said.startswith(f"maos: {named}")
    assert said.count("\n") == 1
    assert maos.rows("SELECT count(*) FROM orchestrator_runs") == before


def test_a_data_set_of_the_user_is_copied_to_where_runs_may_read(maos: Maos, tmp_path: Path) -> None:
    own = tmp_path / "sales.csv"
    own.write_text("day,shop,sales\n2026-01-01,north,10\n2026-01-02,south,20\n2026-02-01,north,5\n2026-02-02,south,7\n")
    run_id = maos.start_report("--param", f"dataset={own}", "--param", "measures=sales", "--param", "dimensions=shop",
                               "--param", "period_column=day", "--param", "title=Sales")  # fmt: skip
    own.write_text("changed,meanwhile\n1,2\n")

    maos.run("approvals", "approve", _approval(maos, run_id), "--as", REVIEWER)
    maos.shown(run_id, "status = 'completed'")

    plan = maos.rows(f"SELECT plan FROM orchestrator_runs WHERE id = '{run_id}'")[0][0]
    assert str(maos.home / "datasets" / "demo") in json.dumps(plan)


def test_nothing_is_copied_for_an_organisation_that_does_not_exist(maos: Maos, tmp_path: Path) -> None:
    own = tmp_path / "sales.csv"
    own.write_text("day,shop,sales\n2026-01-01,north,10\n2026-02-01,south,20\n")
    request = str(ROOT / "examples" / "generate_report" / "request.json")

    maos.run("run", "generate_report", "--request", request, "--org", "ghost", "--param", f"dataset={own}", expect=2)

    assert not (maos.home / "datasets" / "ghost").exists()


def test_an_answer_decides_only_what_its_form_has_shown(maos: Maos) -> None:
    run_id = maos.start_report("--param", "autonomy=supervised")
    first = _approval(maos, run_id)
    # Two people at once: one decides in the ledger, and the form of the other is what wakes the run.
    maos.python(
        f"from uuid import UUID; from maos.approvals import *; from maos.decisions import *; "
        f"from tasks.approvals import decide; "
        f"decide(UUID('{first}'), DecisionRequest(decision=Decision.APPROVE, "
        f"reviewer='{REVIEWER}', via=DecisionPath.COMMAND_LINE))"
    )
    maos.prefect("POST", f"/flow_runs/{run_id}/resume", {"run_input": {"decision": "approve", "reviewer": REVIEWER}})

    def asked() -> list[tuple[str, str]] | None:
        found = maos.rows(
            f"SELECT step_id, status FROM agent_pending_actions WHERE run_id = '{run_id}' ORDER BY started_at"
        )
        suspended = maos.prefect("GET", f"/flow_runs/{run_id}")["state"]["name"] == "Suspended"
        return [(str(step), str(status)) for step, status in found] if suspended and len(found) > 1 else None

    assert wait_for(asked) == [("profile_data", "approved"), ("aggregate_metrics", "pending")]
