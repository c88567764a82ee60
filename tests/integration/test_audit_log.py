"""The audit log is a chain that shows what was done to it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from sqlalchemy.event import listen

from maos.audit import AuditEvent
from maos.statuses import RunStatus
from sql.audit import append_audit, verify_chain
from sql.session import org_session, system_session
from tasks.ledger import find_run
from tasks.runs import end_run
from tests.rows import add_run, invocation


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


# What each column is changed to; what is set becomes NULL as well.
_OTHERS = {
    "event": "'other'",
    "actor": "'other'",
    "run_id": "NULL",
    "step_id": "NULL",
    "action": "'other'",
    "risk": "'low'",
    "was_automatic": "NOT was_automatic",
    "approval_id": "gen_random_uuid()",
    "digest": "repeat('0', 64)",
    "success": "false",
    "summary": "'other'",
    "rules_version": "repeat('a', 64) || '/2'",
    "policy_version": "8",
    "error": "'timed_out'",
    "result_digest": "repeat('1', 64)",
    "chain_version": "NULL",
    "summary_digest": "repeat('4', 64)",
    "summary_salt": "'other'",
    "previous_hash": "repeat('2', 64)",
    "row_hash": "repeat('3', 64)",
    "recorded_at": "recorded_at + interval '1 hour'",
    "org_id": "gen_random_uuid()",
}


def test_a_change_of_any_column_is_located_whatever_it_was_before(database: str, org_id: UUID) -> None:
    run_id = add_run(org_id)
    said = {"rules_version": f"{'a' * 64}/1", "policy_version": 7, "result_digest": "b" * 64, "step_id": "act"}
    for fields in ({}, said):
        event = AuditEvent(event="step.completed", actor="clerk", run_id=run_id, summary="done", **fields)
        with org_session(org_id) as session:
            append_audit(event, org_id=org_id, session=session)
    with psycopg.connect(database) as connection:
        listed = connection.execute("SELECT * FROM agent_action_audit_log LIMIT 0").description
    assert listed is not None
    assert {column.name for column in listed} == _OTHERS.keys() | {"sequence"}

    nulls = dict.fromkeys(("rules_version", "policy_version", "result_digest", "step_id"), "NULL")
    with psycopg.connect(database, autocommit=True) as connection:
        # Past every constraint, as the owner of the server.
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE agent_action_audit_log DROP CONSTRAINT agent_action_audit_log_error_check")
        connection.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM agent_action_audit_log")
        for number, changes in ((1, _OTHERS | {"step_id": "'act'"}), (2, _OTHERS), (2, nulls)):
            for column, value in changes.items():
                change = f"UPDATE agent_action_audit_log SET {column} = {value} WHERE sequence = {number}"
                connection.execute(change.encode())
                assert _verify(org_id)[1] == number, change
                connection.execute("DELETE FROM agent_action_audit_log")
                connection.execute("INSERT INTO agent_action_audit_log SELECT * FROM kept")
    assert _verify(org_id) == (2, None)


def test_a_chain_is_verified_while_others_write(org_id: UUID) -> None:
    run_id = add_run(org_id)
    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(_append, org_id, run_id, number) for number in range(60)]
        seen = [_verify(org_id) for _ in range(5)]
        for each in written:
            each.result()

    assert [fault for _, fault in seen] == [None] * 5
    assert _verify(org_id) == (60, None)


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_chain_that_begins_while_it_is_verified_holds(org_id: UUID, after: int) -> None:
    run_id = add_run(org_id)
    begun = []

    def begin(*_: object) -> None:
        begun.append(None)
        if len(begun) == after:
            with ThreadPoolExecutor(1) as other:
                other.submit(_append, org_id, run_id, 1).result()

    with system_session() as session:
        connection = session.connection()
        listen(connection, "after_cursor_execute", begin)
        _, fault = verify_chain(org_id, session=session)

    assert fault is None
    assert _verify(org_id)[1] is None


def test_an_attempt_whose_process_died_has_its_row(database: str, org_id: UUID) -> None:
    run_id = add_run(org_id)
    row = invocation(org_id, run_id, "0.5")
    row.digest, row.rules_version, row.policy_version = "d" * 64, f"{'a' * 64}/1", 4
    with org_session(org_id) as session:
        session.add(row)
    run = find_run(run_id)
    assert run is not None

    end_run(run, RunStatus.FAILED, "its process is gone")

    with psycopg.connect(database) as connection:
        said = connection.execute(
            "SELECT event, success, error, digest, rules_version, policy_version, result_digest IS NOT NULL "
            "FROM agent_action_audit_log ORDER BY sequence"
        ).fetchall()
    assert said == [
        ("step.failed", False, "process_died", "d" * 64, f"{'a' * 64}/1", 4, True),
        ("run.failed", False, None, None, None, None, True),
    ]
    assert _verify(org_id) == (2, None)


def test_every_row_lies_in_the_partition_of_its_month(database: str, org_id: UUID) -> None:
    _append(org_id, add_run(org_id), 1)
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT tableoid::regclass::text, recorded_at FROM agent_action_audit_log").fetchone()

    assert row is not None
    assert row[0] == f"agent_action_audit_log_{row[1]:%Y_%m}"
