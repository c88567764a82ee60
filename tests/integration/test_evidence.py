"""The evidence of a run shows everything there is of it, and holds against the audit log, its money and its files."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from console.evidence import evidence
from maos.actions import StepOutcome
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.plans import OnFailure
from maos.risk import RiskLevel
from tasks.files import write_file
from tasks.services.registry import ServiceCall, internal_service
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import Bench, NoteParameters, step

# Each begins with a whole run.
pytestmark = pytest.mark.timeout(600)
FOLDER = Path("maos") / "artifacts" / "demo"


def _maos(*arguments: str) -> Result:
    return CliRunner().invoke(evidence, arguments, catch_exceptions=False)


def _register_services() -> None:
    @internal_service(
        action="propose", risk=RiskLevel.LOW, title="Add.", parameters=NoteParameters, proposes_steps=True
    )
    def propose(call: ServiceCall[NoteParameters]) -> StepOutcome:  # noqa: ARG001 - the signature is a service's
        more = step("more", text="more").model_dump(mode="json")
        return StepOutcome(output={}, summary="Added a step.", proposed_steps=(more,))

    @internal_service(action="fail", risk=RiskLevel.LOW, title="Fail.", parameters=NoteParameters)
    def fail(call: ServiceCall[NoteParameters]) -> StepOutcome:  # noqa: ARG001
        raise EngineFailure(FailureKind.BAD_REQUEST, "cannot be done")

    @internal_service(action="write", risk=RiskLevel.HIGH, title="Write a file.", parameters=NoteParameters)
    def write(call: ServiceCall[NoteParameters]) -> StepOutcome:
        file = write_file(call.folder, "notes/said.txt", call.parameters.text.encode(), "text/plain")
        return StepOutcome(output={"name": file.name}, summary="Written.", artifacts=(file,))


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a run that was approved, revised, and failed in a step that may fail; its evidence is beside it."""
    monkeypatch.chdir(tmp_path)
    _register_services()
    fails = step("fails", "fail").model_copy(update={"on_failure": OnFailure.CONTINUE})
    bench.plan(step("first", text="first"), fails, step("adds", "propose"), step("writes", "write", text="said"))
    beside = bench.run_beside()
    wait_for(pending, seconds=180)
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER, note="go on")
    ended = wait_for(lambda: beside.state, seconds=180)
    assert ended.is_completed()
    return tmp_path / FOLDER / str(only_run_id())


def _write(*options: str) -> dict[str, Any]:
    done = _maos(str(only_run_id()), "--out", "evidence.json", *options)
    assert done.exit_code == 0, done.output
    read: dict[str, Any] = json.loads(Path("evidence.json").read_text())
    return read


def test_a_run_shows_everything_there_is_of_it_and_verifies_offline(run: Path) -> None:
    shown = _write()

    assert run.is_dir()
    assert shown["audience"] == "clients"
    assert (shown["run"]["status"], shown["run"]["initiator_id"]) == ("completed", "author@demo.example")
    assert [len(revision["plan"]["steps"]) for revision in shown["plan_revisions"]] == [4, 5]
    assert {attempt["step_id"]: attempt["status"] for attempt in shown["invocations"]} == {
        "first": "completed",
        "fails": "failed",
        "adds": "completed",
        "more": "completed",
        "writes": "completed",
    }
    (approval,) = shown["approvals"]
    assert (approval["step_id"], approval["status"], approval["decided_by"]) == ("writes", "approved", REVIEWER)
    assert approval["payload"]["parameters"] == {"text": "said"}
    assert [(vote["voter"], vote["decision"], vote["note"]) for vote in approval["votes"]] == [
        (REVIEWER, "approve", "go on")
    ]
    assert [(file["name"], file["size"], file["found"]) for file in shown["artifacts"]] == [
        ("notes/said.txt", 4, "intact")
    ]
    events = [link["row"]["event"] for link in shown["chain"]["links"]]
    assert (events[0], events[-1]) == ("run.opened", "run.completed")
    assert shown["withheld"] == []
    assert shown["vendor_details"] == []

    _says_what_each_action_was_judged_by()
    _verifies_offline_with_its_files(run)


def _says_what_each_action_was_judged_by() -> None:
    said = rows(
        "SELECT l.event, l.step_id, l.was_automatic, l.approval_id IS NOT NULL, l.error, l.digest = i.digest, "
        "l.rules_version ~ '^[0-9a-f]{64}/0$', l.result_digest IS NOT NULL FROM agent_action_audit_log l "
        "JOIN agent_invocations i USING (run_id, step_id) WHERE starts_with(l.event, 'step.') ORDER BY l.step_id"
    )

    assert said == [
        ("step.completed", "adds", True, False, None, True, True, True),
        ("step.failed", "fails", True, False, "bad_request", True, True, True),
        ("step.completed", "first", True, False, None, True, True, True),
        ("step.completed", "more", True, False, None, True, True, True),
        ("step.completed", "writes", False, True, None, True, True, True),
    ]


def _verifies_offline_with_its_files(run: Path) -> None:
    said = run / "notes" / "said.txt"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MAOS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
        holds = _maos("verify", "evidence.json", "--artifacts", str(run))
        said.write_text("else")
        changed = _maos("verify", "evidence.json", "--artifacts", str(run))
    changed_before = _maos(str(only_run_id()), "--out", "changed.json")
    said.unlink()
    missing_before = _maos(str(only_run_id()), "--out", "missing.json")

    assert holds.exit_code == 0
    assert "holds: 2 plan revisions, 5 invocations, 1 approvals, 1 files" in holds.output
    assert (changed.exit_code, changed.output) == (
        1,
        "evidence.json: DOES NOT HOLD: file notes/said.txt: its checksum is another\n",
    )
    assert changed_before.exit_code == 1
    assert "file notes/said.txt: it was no longer what its step made" in changed_before.output
    assert missing_before.exit_code == 0
    assert "note: the file notes/said.txt was gone when the evidence was written" in missing_before.output


# By somebody who can write all tables but not mend the chain, whose head is known elsewhere.
TAMPERINGS = {
    "UPDATE agent_invocations SET cost_usd = 5 WHERE step_id = 'first'": "it is not as the audit log recorded it",
    "UPDATE agent_invocations SET output = '{\"text\": \"no\"}' WHERE step_id = 'first'": (
        "it is not as the audit log recorded it"
    ),
    "UPDATE agent_invocations SET artifacts = '[]' WHERE step_id = 'writes'": "it is not as the audit log recorded it",
    'UPDATE agent_pending_actions SET payload = payload || \'{"parameters": {"text": "x"}}\'': (
        "its digest is not that of its payload"
    ),
    "UPDATE agent_pending_actions SET decided_by = 'author@demo.example'": "the audit log does not have its decision",
    "DELETE FROM agent_action_votes": "it is approved with 0 votes for it and takes 1",
    "UPDATE plan_revisions SET plan = jsonb_set(plan, '{parallelism}', '1')": "its digest is not that of its plan",
    "UPDATE orchestrator_runs SET status = 'failed'": "the audit log does not say that it ended as failed",
    "UPDATE agent_action_audit_log SET success = true, error = NULL WHERE step_id = 'fails'": "the row was changed",
}


def test_tampering_with_the_ledger_shows_in_the_evidence(run: Path, database: str) -> None:
    assert run.is_dir()

    for tampering, reason in TAMPERINGS.items():
        with _tampered(database, tampering):
            written = _maos(str(only_run_id()), "--out", "evidence.json")
        assert (written.exit_code, reason in written.output) == (1, True), (tampering, written.output)
    assert _write()


@contextmanager
def _tampered(database: str, tampering: str) -> Iterator[None]:
    """Change the tables past every constraint, and change them back."""
    table = tampering.split()[2 if tampering.startswith("DELETE") else 1]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM {table}".encode())
        connection.execute(tampering.encode())
        yield
        connection.execute(f"DELETE FROM {table}".encode())
        connection.execute(f"INSERT INTO {table} SELECT * FROM kept".encode())
