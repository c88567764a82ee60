"""The audit log is a chain that shows what was done to it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from maos.audit import AuditEvent
from sql.audit import append_audit, verify_chain
from sql.session import org_session, system_session
from tests.rows import add_run


def _append(org_id: UUID, run_id: UUID, number: int) -> None:
    event = AuditEvent(event="step.completed", actor="clerk", run_id=run_id, summary=f"step {number}")
    with org_session(org_id) as session:
        append_audit(event, org_id=org_id, session=session)


def _verify(org_id: UUID) -> tuple[int, int | None]:
    with system_session() as session:
        rows, fault = verify_chain(org_id, session=session)
    return rows, fault.sequence if fault else None


def test_writers_at_once_keep_the_chain(org_id: UUID) -> None:
    run_id = add_run(org_id)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _append(org_id, run_id, number), range(200)))

    assert _verify(org_id) == (200, None)


@pytest.mark.parametrize(
    ("tampering", "located"),
    [
        ("UPDATE agent_action_audit_log SET summary = 'nothing' WHERE sequence = 3", 3),
        ("UPDATE agent_action_audit_log SET success = false WHERE sequence = 1", 1),
        (
            "UPDATE agent_action_audit_log SET recorded_at = recorded_at + interval '1 microsecond' WHERE sequence = 5",
            5,
        ),
        ("DELETE FROM agent_action_audit_log WHERE sequence = 2", 2),
        ("DELETE FROM agent_action_audit_log WHERE sequence = 5", 5),
        ("UPDATE agent_action_audit_log SET sequence = 9 - sequence WHERE sequence IN (4, 5)", 4),
    ],
)
def test_tampering_by_the_owner_of_the_server_is_located(
    database: str, org_id: UUID, tampering: str, located: int
) -> None:
    run_id = add_run(org_id)
    for number in range(5):
        _append(org_id, run_id, number)
    assert _verify(org_id) == (5, None)

    with psycopg.connect(database) as connection:
        connection.execute(tampering.encode())

    assert _verify(org_id)[1] == located


def test_every_row_lies_in_the_partition_of_its_month(database: str, org_id: UUID) -> None:
    _append(org_id, add_run(org_id), 1)
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT tableoid::regclass::text, recorded_at FROM agent_action_audit_log").fetchone()

    assert row is not None
    assert row[0] == f"agent_action_audit_log_{row[1]:%Y_%m}"
