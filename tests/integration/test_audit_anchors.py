"""Heads of audit chains are noted in the artifact store, and what was noted is compared."""

import json
import shutil
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result

from console.audit import audit
from maos.audit import AuditEvent, ChainBroken
from maos.settings import load_settings
from sql.audit import append_audit
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tasks.audit_anchors import anchor_all


def _append(org_id: UUID, count: int = 1) -> None:
    event = AuditEvent(event="rules.stored", actor="owner@demo.example", run_id=None, summary="stored")
    for _ in range(count):
        with org_session(org_id) as session:
            append_audit(event, org_id=org_id, session=session)


def _maos(*arguments: str) -> Result:
    return CliRunner().invoke(audit, arguments, catch_exceptions=False)


def _cut(database: str, org_id: UUID, *, after: int) -> None:
    """Remove the rows at the end and mend the head, as only the owner of the server can."""
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM agent_action_audit_log WHERE org_id = %s AND sequence > %s", (org_id, after))
        connection.execute(
            "UPDATE audit_chain_heads SET (sequence, row_hash) = "
            "(SELECT sequence, row_hash FROM agent_action_audit_log WHERE org_id = %(org)s AND sequence = %(last)s) "
            "WHERE org_id = %(org)s",
            {"org": org_id, "last": after},
        )


def test_each_chain_that_has_grown_is_anchored_once(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    _append(org_id, 3)
    _append(other)

    assert anchor_all() == ["demo: row 3 anchored as number 1", "other: row 1 anchored as number 1"]
    assert anchor_all() == []
    _append(org_id)
    assert _maos("anchor").output == "demo: row 4 anchored as number 2\n"
    assert "demo: 4 rows, the chain holds, as 2 anchors say" in _maos("verify").output


def test_rows_removed_at_the_end_are_found_though_the_head_was_mended(database: str, org_id: UUID) -> None:
    _append(org_id, 5)
    anchor_all()
    _cut(database, org_id, after=3)
    assert "5 rows" not in _maos("verify").output

    (found,) = json.loads(_maos("verify", "--json").output)

    assert (found["fault_at"], found["fault"].split(" at 2")[0]) == (
        "row 4",
        "the rows end at 3, but row 5 was anchored",
    )
    with pytest.raises(ChainBroken, match="demo: the row that was anchored last is not in it"):
        anchor_all()


def test_a_copy_of_the_anchors_outlasts_the_store(database: str, org_id: UUID, tmp_path: Path) -> None:
    _append(org_id, 5)
    anchor_all()
    store = load_settings().artifact_store
    shutil.copytree(store, tmp_path / "copy")
    shutil.rmtree(store)
    _cut(database, org_id, after=3)
    assert _maos("verify").exit_code == 0

    found = _maos("verify", "--anchors", str(tmp_path / "copy"))

    assert found.exit_code == 1
    assert "BROKEN at row 4" in found.output


def test_an_anchor_that_was_changed_is_no_excuse(database: str, org_id: UUID) -> None:
    assert database
    _append(org_id, 2)
    anchor_all()
    _append(org_id)
    anchor_all()
    file = load_settings().artifact_store / "demo" / "audit-anchors" / "00000001.json"
    file.unlink()

    assert "BROKEN at 00000002.json: anchor 1 is missing" in _maos("verify").output
