"""Workflows through the real executor: registered, rehearsed, live over real HTTP, and what the tables keep of it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from prefect.client.schemas.objects import State
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from blocks.claude import ClaudeEngine
from console.main import cli
from console.run import checked_request, read_request
from flows.run_workflow import run_workflow
from maos.agent_answer import answer_faults
from maos.agent_journal import MISFIT
from maos.errors import BadInput, WorkflowRefused
from maos.settings import load_settings
from maos.workflow_request import RunWorkflowRequest
from maos.workflow_text import parse_workflow
from sql.demo import ensure_demo_workflows
from sql.session import org_session
from tasks.entrypoints import ENTRYPOINTS
from tests.agents import DONE, agents_server, told
from tests.gates import only_run_id, rows
from tests.messages_server import MessagesServer
from tests.plans import Bench
from tests.plans import step as bench_step
from tests.tenants import WORKFLOW

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SHIPPED = EXAMPLES / "workflows"
OWNER = "owner@demo.example"
REQUESTS = {
    "research-documents": "request.json",
    "triage-issues": "triage.json",
    "reconcile-ledgers": "reconcile.json",
}
SUMMARY = {
    "summary": "Most guests prefer the new roast; as espresso it is too bitter for some.",
    "findings": [
        {
            "statement": "26 of 40 preferred it.",
            "document": "tasting.md",
            # As the document breaks its lines elsewhere.
            "quote": "Twenty-six preferred the new roast, nine the\nhouse roast",
        }
    ],
    "contradictions": [],
    "open_questions": ["What customers would pay."],
}


def maos(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def register(document: str, folder: Path) -> Result:
    file = folder / "workflow.yaml"
    file.write_text(document)
    return maos("workflows", "register", str(file), "--org", "demo", "--as", OWNER)


def ask(name: str = "research-documents", **fields: Any) -> RunWorkflowRequest:
    request = read_request(ENTRYPOINTS["run_workflow"], EXAMPLES / "run_workflow" / REQUESTS[name])
    assert isinstance(request, RunWorkflowRequest)
    return request.model_copy(update=fields)


def run(request: RunWorkflowRequest) -> State[Any]:
    return run_workflow(request, return_state=True)


def delivered() -> dict[str, Any]:
    ((result,),) = rows("SELECT result FROM orchestrator_runs")
    found: dict[str, Any] = result["deliver_output"]
    return found


def standing(name: str = "research-documents") -> list[tuple[Any, ...]]:
    return rows(f"SELECT version, last_run_id, last_status FROM deep_agent_workflows WHERE name = '{name}' ORDER BY 1")


@pytest.fixture
def shipped(prefect_api: str, org_id: UUID) -> UUID:  # noqa: ARG001
    # Without a key: runs are rehearsals.
    ClaudeEngine().save("default", overwrite=True)
    ensure_demo_workflows(SHIPPED)
    return org_id


@pytest.fixture
def server(shipped: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    with agents_server(monkeypatch) as running:
        yield running


@pytest.mark.parametrize("name", REQUESTS)
def test_each_example_is_rehearsed_with_an_output_that_fits_its_schema(shipped: UUID, name: str) -> None:  # noqa: ARG001
    assert run(ask(name)).is_completed()

    found = delivered()
    schema = parse_workflow((SHIPPED / f"{name}.yaml").read_text()).output
    read = dict(
        rows("SELECT step_id, output FROM agent_invocations WHERE step_id IN ('take_material', 'compare_ledgers')")
    )
    read["documents"] = read["take_material"]["documents"]
    assert answer_faults(schema, json.dumps(found["output"]), read) == []
    assert found["rehearsed"] is True
    assert (found["workflow"], found["version"]) == (name, 1)
    folder = load_settings().artifact_store / "demo" / str(only_run_id())
    for file in (found["file"], found["page"]):
        assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"]
    assert json.loads((folder / found["file"]["name"]).read_text()) == found["output"]
    assert (folder / found["page"]["name"]).read_text().startswith("**REHEARSAL**")
    assert standing(name) == [(1, only_run_id(), "completed")]
    assert rows("SELECT sum(cost_usd) FROM agent_invocations") == [(0,)]


def test_the_ledgers_of_the_example_are_compared_before_an_agent_explains(shipped: UUID) -> None:  # noqa: ARG001
    assert run(ask("reconcile-ledgers")).is_completed()

    ((found,),) = rows("SELECT output FROM agent_invocations WHERE step_id = 'compare_ledgers'")
    assert [each["key"] for each in found["differences"]] == [
        "INV-1003",
        "INV-1004",
        "INV-1007",
        "INV-1008",
        "FEE-10",
        "REF-88",
    ]
    assert found["accounted_for"] == found["total_difference"] == "416.15"
    assert [each["number"] for each in delivered()["output"]["explanations"]] == [1, 2, 3, 4, 5, 6]


def test_a_live_agent_answers_in_the_form_of_the_schema(server: MessagesServer) -> None:
    server.will_call(DONE)
    server.will_answer(SUMMARY)

    assert run(ask()).is_completed()

    assert delivered()["output"] == SUMMARY
    assert delivered()["rehearsed"] is False
    asked = told(server.requests[0])
    assert "Should the new roast go on sale" in asked
    assert "at most 300 words" in asked
    assert "Forty customers of the Harbour Street shop" in asked
    assert '"additionalProperties": false' in asked
    assert rows("SELECT rehearsal FROM orchestrator_runs") == [(False,)]
    assert standing() == [(1, only_run_id(), "completed")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("Most prefer it.", "the answer is no JSON object"),
        (json.dumps({**SUMMARY, "summary": ""}), "summary: minLength: 1"),
        (
            json.dumps({**SUMMARY, "findings": [{**SUMMARY["findings"][0], "quote": "All forty loved it"}]}),
            "findings[1].quote: 'All forty loved it' does not stand in tasting.md word for word",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_asked_for_once_more(server: MessagesServer, wrong: str, said: str) -> None:
    server.will_call(DONE)
    server.will_say(wrong)
    server.will_answer(SUMMARY)

    assert run(ask()).is_completed()

    assert told(server.requests[2]).startswith(MISFIT)
    assert said in told(server.requests[2])
    assert delivered()["output"] == SUMMARY


def test_an_agent_that_leaves_a_difference_unexplained_is_told_which(server: MessagesServer) -> None:
    row = {"explanation": "x", "certainty": "likely", "action": "Ask the bank."}
    six = [{"number": number, **row} for number in range(1, 7)]
    server.will_call(DONE)
    server.will_answer({"conclusion": "Six.", "explanations": six[:4]})
    server.will_answer({"conclusion": "Six.", "explanations": six})

    assert run(ask("reconcile-ledgers")).is_completed()

    assert "explanations: it leaves out: 5, 6" in told(server.requests[2])
    assert delivered()["output"]["explanations"] == six


def test_an_answer_that_does_not_fit_twice_fails_the_run_with_the_reason(server: MessagesServer) -> None:
    server.will_call(DONE)
    server.will_say("Most prefer it.")
    server.will_say("They do, really.")

    assert run(ask()).is_failed()

    assert len(server.requests) == 3
    assert rows("SELECT status, error_kind FROM agent_invocations WHERE step_id = 'work' ORDER BY attempt DESC") == [
        ("failed", "unusable_output"),
        ("pending", None),
        ("pending", None),
    ]
    assert standing() == [(1, only_run_id(), "failed")]


def test_an_agent_that_forgot_its_list_still_has_its_answer_corrected(server: MessagesServer) -> None:
    server.will_say("No list, no form.")
    server.will_call(DONE)
    server.will_say("Still no form.")
    server.will_answer(SUMMARY)

    assert run(ask()).is_completed()


def test_a_refusal_fails_the_run_and_a_rate_limit_is_waited_for(server: MessagesServer) -> None:
    server.will_fail(429, "rate_limit_error")
    server.will_refuse("bio")

    assert run(ask()).is_failed()

    assert rows("SELECT error_kind FROM agent_invocations WHERE step_id = 'work' ORDER BY attempt") == [
        ("rate_limited",),
        ("declined",),
    ]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"question": "Why is it so?"}, "inputs"),
        ({"folder": "/etc", "question": "Why is it so?"}, "inputs.folder"),
        ({"folder": "run_workflow/nothing", "question": "Why is it so?"}, "inputs.folder"),
        ({"folder": "run_workflow/documents", "question": "Why"}, "inputs.question"),
        ({"folder": "run_workflow/documents", "question": "Why is it so?", "most_words": "many"}, "inputs.most_words"),
        ({"folder": "run_workflow/documents", "question": "Why is it so?", "engine": "other"}, "inputs"),
        ({"folder": "../sql", "question": "Why is it so?"}, "inputs.folder"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_before_anything_is_written(
    shipped: UUID,  # noqa: ARG001
    inputs: dict[str, Any],
    field: str,
) -> None:
    with pytest.raises(BadInput) as refused:
        run(ask(inputs=inputs)).result()

    assert refused.value.field == field
    assert rows("SELECT count(*) FROM orchestrator_runs") == [(0,)]
    assert standing() == [(1, None, None)]


def test_every_version_is_kept_and_the_newest_runs_unless_another_is_named(shipped: UUID, tmp_path: Path) -> None:  # noqa: ARG001
    document = (SHIPPED / "research-documents.yaml").read_text()
    assert "unchanged; version 1 holds" in register(document, tmp_path).output
    assert f"version 2 registered by {OWNER}" in register(document.replace("300", "150"), tmp_path).output

    assert run(ask()).is_completed()
    assert delivered()["version"] == 2
    assert [(version, status) for version, _, status in standing()] == [(1, None), (2, "completed")]

    rows_of_list = json.loads(maos("workflows", "list", "--org", "demo", "--json").output)
    (listed,) = [row for row in rows_of_list if row["name"] == "research-documents"]
    assert (listed["version"], listed["last_status"], listed["state"]) == (2, "completed", "runs")
    assert maos("workflows", "export", "research-documents", "--org", "demo", "--version", "1").output == document
    shown = json.loads(maos("workflows", "show", "research-documents", "--org", "demo", "--json").output)
    assert [each["version"] for each in shown["versions"]] == [2, 1]
    assert "most_words" in maos("workflows", "show", "research-documents", "--org", "demo").output
    assert rows("SELECT event, actor FROM agent_action_audit_log WHERE event LIKE 'workflow.%'") == [
        ("workflow.registered", OWNER)
    ]


def test_a_disabled_workflow_does_not_run_until_it_is_registered_again(shipped: UUID, tmp_path: Path) -> None:  # noqa: ARG001
    request = ask()
    done = maos("workflows", "disable", "research-documents", "--org", "demo", "--as", OWNER)
    assert done.output == "workflow research-documents of demo: disabled; versions 1\n"

    with pytest.raises(BadInput, match="not disabled"):
        run(request).result()
    ensure_demo_workflows(SHIPPED)
    assert len(standing()) == 1

    register((SHIPPED / "research-documents.yaml").read_text(), tmp_path)
    assert run(request).is_completed()
    with pytest.raises(BadInput, match="not disabled"):
        run(request.model_copy(update={"version": 1})).result()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tools: [fly]\n", "'fly' is no action of a service"),
        ("tools: [take_material]\n", "'take_material' is no action that a workflow may name"),
        ("prepare: [{action: send_email}]\n", "send_email"),
    ],
)
def test_a_workflow_that_could_not_run_is_not_registered(org_id: UUID, tmp_path: Path, line: str, said: str) -> None:  # noqa: ARG001
    refused = register(WORKFLOW + line, tmp_path).exception

    assert isinstance(refused, WorkflowRefused)
    assert said in str(refused)
    assert rows("SELECT count(*) FROM deep_agent_workflows") == [(0,)]


def test_a_template_of_a_goal_names_what_there_is(org_id: UUID, tmp_path: Path) -> None:  # noqa: ARG001
    refused = register(WORKFLOW.replace("Do it.", '"{{ nothing }}"'), tmp_path).exception

    assert "the name 'nothing' is not an input; inputs: documents, inputs" in str(refused)


def test_files_of_the_user_are_copied_to_where_runs_may_read(shipped: UUID, tmp_path: Path) -> None:  # noqa: ARG001
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "one.md").write_text("Water boils at 100 degrees.")
    (tmp_path / "papers" / "photo.bin").write_bytes(b"\xff\xfe\x00")
    params = ("org=demo", "initiator=author@demo.example", "title=T", "workflow=research-documents")
    given = (f"inputs.folder={tmp_path / 'papers'}", "inputs.question=When does it boil?", "inputs.most_words=100")
    request = read_request(ENTRYPOINTS["run_workflow"], None, params=(*params, *given))

    stored = checked_request("run_workflow", request)

    assert isinstance(stored, RunWorkflowRequest)
    assert stored.inputs["most_words"] == 100
    assert Path(stored.inputs["folder"]).is_relative_to(load_settings().dataset_store / "demo")
    assert run(stored).is_completed()
    ((material,),) = rows("SELECT output FROM agent_invocations WHERE step_id = 'take_material'")
    assert material["documents"] == {"one.md": "Water boils at 100 degrees."}
    assert material["left_out"] == [{"name": "photo.bin", "reason": "it is not UTF-8"}]


def test_no_plan_reads_files_that_its_organisation_may_not(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("nobody's business")
    file = {"source": "f", "name": "secret.txt", "path": str(secret), "size": 17, "told": True}
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    bench.plan(bench_step("read", "take_material", inputs={}, files=[{**file, "sha256": digest}]))

    assert bench.run().is_failed()
    assert rows("SELECT status, error_kind FROM agent_invocations") == [("failed", "bad_request")]


def test_what_a_version_says_cannot_be_changed_and_none_is_forgotten(shipped: UUID) -> None:
    for statement in ("DELETE FROM deep_agent_workflows", "UPDATE deep_agent_workflows SET document = 'x'"):
        with pytest.raises(ProgrammingError, match="permission denied"), org_session(shipped) as session:
            session.execute(text(statement))
