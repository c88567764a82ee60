"""A workflow through its deployment: read, worked on, validated, delivered and accounted for; and its form."""

import hashlib
import json
from typing import Any

from tests.end_to_end.conftest import ROOT, Maos

EXAMPLES = "examples/run_workflow"
OWNER = "owner@demo.example"


def _run(maos: Maos, request: str, *arguments: str) -> tuple[str, dict[str, Any]]:
    run_id = maos.run("run", "run_workflow", "--request", f"{EXAMPLES}/{request}", "--wait", *arguments).split()[0]
    shown: dict[str, Any] = maos.json("runs", "show", run_id)
    assert shown["status"] == "completed"
    return run_id, shown


def _last(maos: Maos, name: str) -> dict[str, Any]:
    (row,) = [each for each in maos.json("workflows", "list", "--org", "demo") if each["name"] == name]
    return dict(row)


def test_the_example_is_delivered_as_json_and_as_a_page_that_cites_its_documents(maos: Maos) -> None:
    run_id, shown = _run(maos, "request.json")

    assert [row["step_id"] for row in shown["invocations"]] == ["take_material", "work", "deliver_output"]
    assert {(row["status"], row["attempt"]) for row in shown["invocations"]} == {("completed", 1)}
    assert maos.rows(f"SELECT sum(cost_usd) FROM agent_invocations WHERE run_id = '{run_id}'") == [(0,)]
    delivered = shown["result"]["deliver_output"]
    folder = maos.home / "artifacts" / "demo" / run_id
    content = (folder / delivered["file"]["name"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == delivered["file"]["sha256"]
    output = json.loads(content)
    assert output == delivered["output"]
    for finding in output["findings"]:
        text = (ROOT / EXAMPLES / "documents" / finding["document"]).read_text()
        assert finding["quote"] in text
    page = (folder / delivered["page"]["name"]).read_text()
    assert page.startswith("**REHEARSAL**")
    assert "# What the coffee trial showed" in page
    found = maos.prefect("POST", "/artifacts/filter", {"artifacts": {"key": {"any_": ["demo-output"]}}})
    assert page in [each["data"] for each in found]
    last = _last(maos, "research-documents")
    assert (last["version"], last["last_run_id"], last["last_status"]) == (1, run_id, "completed")
    assert "the chain holds" in maos.run("audit", "verify")


def test_the_two_other_examples_run_as_they_are(maos: Maos) -> None:
    _, triaged = _run(maos, "triage.json")
    _, reconciled = _run(maos, "reconcile.json")

    assert triaged["result"]["deliver_output"]["output"]["issues"]
    explained = reconciled["result"]["deliver_output"]["output"]["explanations"]
    assert [each["number"] for each in explained] == [1, 2, 3, 4, 5, 6]


def test_a_workflow_has_a_form_with_its_inputs_as_fields(maos: Maos) -> None:
    maos.run("workflows", "form", "research-documents", "--org", "demo")
    deployment = maos.prefect("GET", "/deployments/name/run-workflow/demo-research-documents")
    fields = deployment["parameter_openapi_schema"]["definitions"]["RunWorkflowRequest"]["properties"]
    assert list(fields["inputs"]["properties"]) == ["folder", "question", "most_words"]

    inputs = {"folder": "run_workflow/documents", "question": "What does it cost?"}
    asked = {**deployment["parameters"]["request"], "initiator": "author@demo.example"}
    start = f"/deployments/{deployment['id']}/create_flow_run"
    wrong = {"parameters": {"request": {**asked, "inputs": {**inputs, "most_words": 7}}}}
    maos.prefect("POST", start, wrong, expect=409)
    started = maos.prefect("POST", start, {"parameters": {"request": {**asked, "inputs": inputs}}})

    shown = maos.shown(started["id"], "status = 'completed'")
    assert shown["result"]["deliver_output"]["workflow"] == "research-documents"


def test_bad_inputs_are_refused_in_one_line_and_nothing_is_created(maos: Maos) -> None:
    before = maos.rows("SELECT count(*) FROM orchestrator_runs")
    for argument, named in (
        ("inputs.question=Why", "inputs.question: 'Why' is not accepted; allowed: minLength: 5"),
        ("inputs.most_words=x", "inputs.most_words: 'x' is not accepted; allowed: JSON of type integer"),
        ("inputs.folder=/nowhere", "inputs.folder: '/nowhere' is not accepted; allowed: "),
        ("workflow=nothing", "workflow: 'nothing' is not accepted; allowed: reconcile-ledgers, "),
        ("version=9", "version: '9' is not accepted; allowed: 1 to 1"),
    ):
        said = maos.run("run", "run_workflow", "--request", f"{EXAMPLES}/request.json", "--param", argument, expect=2)

        assert said.startswith(f"maos: {named}")
        assert said.count("\n") == 1
    assert maos.rows("SELECT count(*) FROM orchestrator_runs") == before
