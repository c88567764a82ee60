"""`maos audit` as a person calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result

from console.audit import audit
from maos.audit import AuditEvent
from maos.failures import FailureKind
from maos.risk import RiskLevel
from sql.audit import append_audit
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tests.rows import add_approval, add_run

ROOT = Path(__file__).parent.parent.parent


def _append(org_id: UUID, run_id: UUID | None, event: str = "step.completed", **fields: Any) -> None:
    fields = {"actor": "clerk", "summary": event} | fields
    with org_session(org_id) as session:
        append_audit(AuditEvent(event=event, run_id=run_id, **fields), org_id=org_id, session=session)


@pytest.fixture
def run_id(org_id: UUID) -> UUID:
    """A run of `demo` with four rows in its chain of six; another organisation has one."""
    run_id = add_run(org_id)
    approval_id = add_approval(org_id, run_id)
    _append(org_id, run_id, "run.opened", actor="author@demo.example")
    _append(org_id, None, "rules.stored", actor="owner@demo.example", was_automatic=False)
    asked = {"action": "send_email", "risk": RiskLevel.HIGH, "approval_id": approval_id}
    _append(org_id, run_id, "approval.approved", actor="reviewer@demo.example", was_automatic=False, **asked)
    failed = {"success": False, "error": FailureKind.TIMED_OUT, "was_automatic": False}
    _append(org_id, run_id, "step.failed", **asked, **failed)
    _append(org_id, run_id, action="note_low", risk=RiskLevel.LOW)
    _append(org_id, None, "rules.stored", actor="owner@demo.example", was_automatic=False)
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    _append(other, None, "rules.stored", actor="owner@other.example", was_automatic=False)
    return run_id


def _maos(*arguments: str) -> Result:
    return CliRunner().invoke(audit, arguments, catch_exceptions=False)


def _listed(*arguments: str) -> list[tuple[str, int]]:
    done = _maos("list", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return [(row["org"], row["sequence"]) for row in json.loads(done.output)]


def test_rows_are_found_by_what_they_say(run_id: UUID) -> None:
    def of(*arguments: str) -> list[int]:
        return [sequence for _, sequence in _listed("--org", "demo", *arguments)]

    assert _listed()[0] == ("other", 1)
    assert of() == [6, 5, 4, 3, 2, 1]
    assert of("--run", str(run_id)[:8]) == [1, 3, 4, 5]
    assert of("--event", "approval") == [3]
    assert of("--event", "step.failed") == [4]
    assert of("--actor", "owner@demo.example") == [6, 2]
    assert of("--action", "send_email") == [4, 3]
    assert of("--risk", "low") == [5]
    assert of("--automatic") == [5, 1]
    assert of("--asked") == [6, 4, 3, 2]
    assert of("--failures") == [4]
    assert of("--since", "2999-01-01") == []
    assert of("--until", "2999-01-01") == [6, 5, 4, 3, 2, 1]


def test_a_listing_goes_on_where_the_page_before_ended(run_id: UUID) -> None:
    first = _maos("list", "--limit", "3")
    assert "older ones: --before demo/5" in first.output

    assert _listed("--limit", "3", "--before", "demo/5") == [("demo", 4), ("demo", 3), ("demo", 2)]
    assert _listed("--run", str(run_id), "--limit", "2") == [("demo", 4), ("demo", 5)]
    assert _listed("--run", str(run_id), "--limit", "2", "--before", "demo/4") == [("demo", 1), ("demo", 3)]


def test_a_row_is_shown_with_its_place(run_id: UUID, database: str) -> None:
    shown = json.loads(_maos("show", "demo", "4", "--json").output)
    assert (shown["error"], shown["run_id"], shown["holds"], shown["rows_after"]) == (
        "timed_out",
        str(run_id),
        "yes",
        2,
    )

    with psycopg.connect(database) as connection:
        connection.execute("UPDATE agent_action_audit_log SET error = NULL WHERE sequence = 4")
    assert "the row was changed after it was written" in _maos("show", "demo", "4").output


def test_chains_are_verified_and_their_heads_are_said(run_id: UUID, database: str) -> None:
    assert run_id
    holds = json.loads(_maos("verify", "--json").output)
    assert [(found["org"], found["rows"], found["fault"]) for found in holds] == [("demo", 6, None), ("other", 1, None)]
    with psycopg.connect(database) as connection:
        ((head,),) = connection.execute(
            "SELECT row_hash FROM audit_chain_heads ORDER BY sequence DESC LIMIT 1"
        ).fetchall()
        assert holds[0]["head"] == head
        connection.execute("UPDATE agent_action_audit_log SET actor = 'x' WHERE sequence = 1 AND run_id IS NULL")

    broken = _maos("verify")

    assert broken.exit_code == 1
    assert broken.output.splitlines() == [
        f"demo: 6 rows, the chain holds; head {head}",
        "other: BROKEN at row 1: the row was changed after it was written",
    ]


def test_an_export_is_verified_where_there_is_no_database(run_id: UUID, tmp_path: Path) -> None:
    assert run_id
    file = tmp_path / "demo.jsonl"
    said = _maos("export", "--org", "demo", str(file)).output

    assert said.startswith(f"{file}: rows 1 to 6 of demo; head ")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["demo.jsonl"]
    head = said.split()[-1]
    assert _offline(tmp_path, "verify", str(file), "--head", head) == (
        0,
        f"demo: 6 rows, the chain holds; head {head}\n",
    )
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    assert _offline(tmp_path, "verify", str(file)) == (1, "demo: BROKEN at row 3: row 3 is missing; row 4 follows\n")


def _offline(folder: Path, *arguments: str) -> tuple[int, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAOS_", "PREFECT_"))}
    done = subprocess.run(
        [sys.executable, "-c", "from console.main import main; main()", "audit", *arguments],
        env=kept | {"MAOS_HOME": str(folder / "nowhere"), "PREFECT_HOME": str(folder / "prefect")},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_a_stretch_is_exported_by_its_times(run_id: UUID, database: str, tmp_path: Path) -> None:
    assert run_id
    with psycopg.connect(database) as connection:
        ((today,),) = connection.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')").fetchall()
        connection.execute(
            "UPDATE agent_action_audit_log SET recorded_at = recorded_at - interval '2 days' WHERE sequence < 3"
        )
    file = tmp_path / "demo.jsonl"
    # Their times are part of what is hashed: it shows that they were changed, and only where they are.
    whole = CliRunner().invoke(audit, ["export", "--org", "demo", str(file)])
    since = _maos("export", "--org", "demo", "--since", today, str(file))

    assert whole.exit_code == 1
    assert "does not hold at row 1: the row was changed" in whole.output
    assert "rows 3 to 6 of demo" in since.output
    nothing = CliRunner().invoke(audit, ["export", "--org", "demo", "--since", "2999-01-01", str(tmp_path / "none")])
    assert "an organisation with audit rows in this time" in str(nothing.exception)
    assert not (tmp_path / "none").exists()
