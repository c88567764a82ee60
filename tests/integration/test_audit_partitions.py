"""The audit log has a partition for every month, and takes rows of months that have none."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from uuid import UUID

import psycopg
import pytest

from maos.audit import AuditEvent
from sql import audit
from sql.audit import append_audit, verify_chain
from sql.audit_partitions import make_partition
from sql.session import org_session, system_session
from tasks.audit_partitions import make_partitions
from tests.rows import add_run

_FAR = datetime(2040, 3, 31, 23, 59, 59, tzinfo=UTC)


def _append(org_id: UUID, run_id: UUID, number: int) -> None:
    event = AuditEvent(event="step.completed", actor="clerk", run_id=run_id, summary=f"step {number}")
    with org_session(org_id) as session:
        append_audit(event, org_id=org_id, session=session)


def _partitions_of_rows(database: str) -> list[tuple[str, int]]:
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT tableoid::regclass::text, count(*) FROM agent_action_audit_log GROUP BY 1 ORDER BY 1"
        ).fetchall()


def _drop_partitions(database: str, *, from_month: str = "2000_01") -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid "
            "WHERE inhparent = 'agent_action_audit_log'::regclass AND relname ~ '[0-9]$' AND relname >= %s",
            (f"agent_action_audit_log_{from_month}",),
        ).fetchall()
        for (name,) in names:
            connection.execute(f"DROP TABLE {name}".encode())


def _holds(org_id: UUID) -> tuple[int, object]:
    with system_session() as session:
        return verify_chain(org_id, session=session)


def test_there_is_room_for_a_year_and_a_half_from_the_beginning(database: str) -> None:
    assert make_partitions() == []
    with psycopg.connect(database) as connection:
        counted = connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'agent_action_audit_log'::regclass"
        ).fetchone()

    # This month, 18 more, and the one that catches what belongs to none.
    assert counted == (20,)


def test_months_that_nobody_made_are_made_with_the_rows_that_came_meanwhile(
    database: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = add_run(org_id)
    _drop_partitions(database)
    _append(org_id, run_id, 1)
    monkeypatch.setattr(audit, "utc_now", lambda: _FAR)
    _append(org_id, run_id, 2)
    assert _partitions_of_rows(database) == [("agent_action_audit_log_default", 2)]

    made = make_partitions()

    now = datetime.now(UTC)
    assert len(made) == 20
    assert made[-1] == "partition 2040-03 made"
    assert _partitions_of_rows(database) == [
        (f"agent_action_audit_log_{now:%Y_%m}", 1),
        ("agent_action_audit_log_2040_03", 1),
    ]
    assert _holds(org_id) == (2, None)
    assert make_partitions() == []


def test_a_partition_made_late_is_like_the_others(database: str, org_id: UUID) -> None:
    _append(org_id, add_run(org_id), 1)
    _drop_partitions(database, from_month=f"{datetime.now(UTC).year + 1}_01")
    make_partitions()

    assert _shapes(database, "pg_get_constraintdef(oid)", "pg_constraint", "conrelid") == [20]
    assert _shapes(
        database, "regexp_replace(pg_get_indexdef(indexrelid), '^.* USING', '')", "pg_index", "indrelid"
    ) == [20]


def _shapes(database: str, what: str, catalogue: str, relation: str) -> Sequence[int]:
    """Return how many partitions there are of each shape."""
    with psycopg.connect(database) as connection:
        shapes = connection.execute(
            f"SELECT count(*) FROM (SELECT string_agg({what}, ';' ORDER BY {what}) AS shape FROM {catalogue} "
            f"WHERE {relation} IN (SELECT inhrelid FROM pg_inherits "
            "WHERE inhparent = 'agent_action_audit_log'::regclass) "
            f"GROUP BY {relation}) AS each GROUP BY shape".encode()
        )
        return [count for (count,) in shapes]


def test_no_writer_fails_while_a_partition_is_made_under_its_rows(database: str, org_id: UUID) -> None:
    run_id = add_run(org_id)
    ended = Event()

    def write(worker: int) -> int:
        written = 0
        while not ended.is_set():
            _append(org_id, run_id, worker)
            written += 1
        return written

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        for _ in range(10):
            # What an operator would never do, to have rows without a partition again and again.
            with psycopg.connect(database) as connection:
                month = f"{datetime.now(UTC):%Y_%m}"
                connection.execute("LOCK TABLE agent_action_audit_log IN ACCESS EXCLUSIVE MODE")
                connection.execute(
                    f"CREATE TEMPORARY TABLE kept AS SELECT * FROM agent_action_audit_log_{month}".encode()
                )
                connection.execute(f"DROP TABLE agent_action_audit_log_{month}".encode())
                connection.execute("INSERT INTO agent_action_audit_log SELECT * FROM kept")
            assert len(make_partitions()) == 1
        ended.set()
        written = sum(writer.result() for writer in writers)

    assert _holds(org_id) == (written, None)
    assert len(_partitions_of_rows(database)) == 1


def test_whoever_is_in_the_way_is_not_waited_for(database: str, org_id: UUID) -> None:
    run_id = add_run(org_id)
    _drop_partitions(database, from_month=f"{datetime.now(UTC).year + 1}_01")
    month = datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC).date()
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM agent_action_audit_log")
        with system_session() as session:
            assert not make_partition(month, session=session)
        _append(org_id, run_id, 1)

    with system_session() as session:
        assert make_partition(month, session=session)
