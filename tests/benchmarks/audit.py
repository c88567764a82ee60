"""How fast a chain is verified and exported: `make bench-audit` prints it; nothing is asserted but that it holds."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import psycopg
import pytest

from maos.audit import COLUMNS, GENESIS_HASH, AuditEvent, Document, document_hash, document_of, next_link
from maos.audit_export import check_export
from maos.risk import RiskLevel
from sql.audit import verify_chain
from sql.session import system_session
from tasks.audit_export import Stretch, export_audit
from tests.rows import add_run

T = TypeVar("T")
_ROWS = int(os.environ.get("AUDIT_ROWS", "200000"))


def _rows(org_id: UUID, run_id: UUID) -> Iterator[tuple[Document, str]]:
    event = AuditEvent(
        event="step.completed",
        actor="clerk",
        run_id=run_id,
        step_id="write_narrative",
        action="write_narrative",
        risk=RiskLevel.LOW,
        digest="a" * 64,
        summary="Wrote a narrative of three paragraphs about the orders of the third quarter.",
        rules_version=f"{'b' * 64}/3",
        result_digest="c" * 64,
    )
    now = datetime.now(UTC)
    link = next_link(event, org_id=org_id, sequence=1, recorded_at=now, previous_hash=GENESIS_HASH, salt="d" * 32)
    first, row_hash = document_of(link), GENESIS_HASH
    for number in range(1, _ROWS + 1):
        at = (now + timedelta(milliseconds=number)).isoformat().replace("+00:00", "Z")
        document = {**first, "sequence": number, "recorded_at": at, "previous_hash": row_hash}
        row_hash = document_hash(document)
        yield document, row_hash


def _write(address: str, org_id: UUID, run_id: UUID) -> None:
    with psycopg.connect(address) as connection:
        names = ", ".join((*COLUMNS, "row_hash"))
        with connection.cursor().copy(f"COPY agent_action_audit_log ({names}) FROM STDIN".encode()) as copy:
            for document, row_hash in _rows(org_id, run_id):
                copy.write_row((*(document.get(name) for name in COLUMNS), row_hash))
        connection.execute("INSERT INTO audit_chain_heads VALUES (%s, %s, %s)", (org_id, _ROWS, row_hash))
        connection.execute("ANALYZE agent_action_audit_log")


def _timed(what: str, work: Callable[[], T]) -> T:
    started, busy = time.perf_counter(), time.process_time()
    done = work()
    took, busy = time.perf_counter() - started, time.process_time() - busy
    million = 1_000_000 * took / _ROWS
    print(f"\n{what}: {_ROWS} rows in {took:.1f} s, {_ROWS / took:,.0f} rows/s, {million:.0f} s a million")
    print(f"  {_ROWS / busy:,.0f} rows for each second that this process worked")
    return done


@pytest.mark.timeout(1800)
def test_how_fast_a_chain_is_verified_and_exported(database: str, org_id: UUID, tmp_path: Path) -> None:
    _write(database, org_id, add_run(org_id))
    file = tmp_path / "export.jsonl"

    def verified() -> object:
        with system_session() as session:
            return verify_chain(org_id, session=session)

    def checked() -> object:
        with file.open("rb") as lines:
            return check_export(lines).finding

    assert _timed("verify", verified) == (_ROWS, None)
    assert _timed("export", lambda: export_audit(Stretch("demo", org_id), file)) == (1, _ROWS)
    assert _timed("verify the export", checked) is None
