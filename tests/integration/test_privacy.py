"""A person's data is taken out of what stands beside the audit chain, which goes on holding."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner

from console.evidence import evidence
from console.privacy import privacy
from maos.audit import AuditEvent
from maos.errors import BadInput
from maos.settings import load_settings
from sql.audit import append_audit, verify_chain
from sql.session import org_session, system_session
from tasks import privacy as erasing
from tasks.retention_rules import place_hold
from tests.gates import only_run_id
from tests.plans import Bench, step
from tests.rows import add_approval, add_run, invocation

JANE, OWNER = "jane@customer.example", "owner@demo.example"
_NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_SAYS_JANE = f"An offer for {JANE.upper()}."


def _erase(*options: str, person: str = OWNER) -> dict[str, object]:
    arguments = ["erase", "--subject", JANE, "--org", "demo", "--as", person, "--json", *options]
    done = CliRunner().invoke(privacy, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.output)
    return found


def _files(run_id: UUID) -> list[str]:
    folder = load_settings().artifact_store / "demo" / str(run_id)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _values(database: str) -> Iterator[str]:
    """Yield every row of the organisation's tables but those of the audit log, as text."""
    with psycopg.connect(database) as connection:
        for table in (
            "orchestrator_runs",
            "agent_invocations",
            "agent_pending_actions",
            "agent_action_votes",
            "plan_revisions",
        ):
            yield from (row for (row,) in connection.execute(f"SELECT row_to_json(t)::text FROM {table} t".encode()))


@pytest.fixture
def run_id(org_id: UUID) -> UUID:
    """A run that has ended and mentions Jane in every kind of place; another one does not."""
    ended = {"status": "completed", "completed_at": _NOW}
    add_run(org_id, prompt_inputs={"request": "an offer for nobody"}, **ended)
    inputs = {"request": _SAYS_JANE, "to": [JANE, "john@customer.example"], "rows": 3}
    run_id = add_run(org_id, title=_SAYS_JANE, prompt_inputs=inputs, result={"sent": {JANE: True}}, **ended)
    add_approval(
        org_id,
        run_id,
        payload={"parameters": {"to": JANE}},
        preview=_SAYS_JANE,
        note="Jane Doe agreed",
        status="approved",
        decided_at=_NOW,
    )
    row = invocation(org_id, run_id, "0")
    row.status, row.output, row.output_summary = "completed", {"sent_to": [JANE]}, f"Sent to {JANE}."
    event = AuditEvent(event="step.completed", actor="clerk", run_id=run_id, summary=f"Sent to {JANE}.")
    with org_session(org_id) as session:
        session.add(row)
        append_audit(event, org_id=org_id, session=session)
    folder = load_settings().artifact_store / "demo" / str(run_id)
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / "offer.txt").write_text(_SAYS_JANE)
    (folder / "report.html").write_text("nobody")
    return run_id


def test_whatever_mentions_somebody_is_gone_and_the_chain_holds(database: str, org_id: UUID, run_id: UUID) -> None:
    assert _erase("--also", "Jane Doe") == {
        "runs": [str(run_id)],
        "rows": 9,
        "files": 1,
        "audit_rows_that_stay": [],
    }

    assert [row for row in _values(database) if "jane" in row.lower()] == []
    assert _files(run_id) == ["report.html"]
    with psycopg.connect(database) as connection:
        kept = connection.execute("SELECT prompt_inputs FROM orchestrator_runs WHERE id = %s", (run_id,)).fetchone()
        told = connection.execute(
            "SELECT run_id, actor, summary FROM agent_action_audit_log WHERE event = 'privacy.erased'"
        ).fetchall()
    assert kept == ({"request": "[erased]", "to": ["[erased]", "john@customer.example"], "rows": 3},)
    assert told == [
        (run_id, OWNER, f"a person's data erased from 9 rows and 1 files, on behalf of {OWNER} (identity unverified)")
    ]
    with system_session() as session:
        assert verify_chain(org_id, session=session) == (2, None)
    assert _erase() == {"runs": [], "rows": 0, "files": 0, "audit_rows_that_stay": []}


def test_a_rehearsal_changes_nothing(database: str, run_id: UUID) -> None:
    before = list(_values(database))

    assert _erase("--rehearse")["rows"] == 8

    assert list(_values(database)) == before
    assert _files(run_id) == ["notes/offer.txt", "report.html"]


def test_whoever_was_interrupted_between_files_and_rows_can_do_it_again(
    database: str, run_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_arguments: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "_events", die)
        with pytest.raises(ConnectionError):
            _erase()
    assert _files(run_id) == ["report.html"]

    assert _erase("--also", "Jane Doe")["rows"] == 9

    assert [row for row in _values(database) if "jane" in row.lower()] == []


def test_what_somebody_is_asked_about_is_not_changed_under_their_eyes(
    database: str, org_id: UUID, run_id: UUID
) -> None:
    going_on = add_run(org_id, prompt_inputs={"to": JANE})
    before = list(_values(database))

    with pytest.raises(BadInput, match=str(going_on)):
        _erase()

    assert list(_values(database)) == before
    assert _files(run_id) == ["notes/offer.txt", "report.html"]


def test_another_organisation_keeps_what_it_has(database: str, org_id: UUID, run_id: UUID) -> None:
    assert run_id
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO organizations (slug, name) VALUES ('other', 'Other')")
        connection.execute(
            "UPDATE orchestrator_runs SET org_id = (SELECT id FROM organizations WHERE slug = 'other') "
            "WHERE org_id = %s AND prompt_inputs::text LIKE '%%nobody%%'",
            (org_id,),
        )
        connection.execute("UPDATE orchestrator_runs SET title = %s WHERE org_id <> %s", (JANE, org_id))
    _erase()

    assert len([row for row in _values(database) if JANE in row]) == 1


@pytest.mark.usefixtures("run_id")
def test_a_legal_hold_and_anybody_but_an_owner_are_refused(org_id: UUID) -> None:
    with pytest.raises(BadInput, match="owner"):
        _erase(person="reviewer@demo.example")
    with pytest.raises(BadInput, match="at least 4 characters"):
        _erase("--also", "Jo")
    place_hold(org_id, person=OWNER, reason="case 4711")
    with pytest.raises(BadInput, match="legal hold"):
        _erase()


@pytest.mark.timeout(600)
def test_evidence_says_what_was_erased_instead_of_tampered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    bench.plan(step("first", text=JANE), step("second", text="nobody"))
    assert bench.run(title=_SAYS_JANE).is_completed()
    _erase()

    written = CliRunner().invoke(evidence, [str(only_run_id()), "--out", "evidence.json"], catch_exceptions=False)
    assert written.exit_code == 0, written.output
    assert "note: erased as a person's data, as the audit log says" in written.output
    assert "/run/title" in written.output
    assert JANE not in Path("evidence.json").read_text().lower()
