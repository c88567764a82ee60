"""Statements that go to the database together, and connections that died meanwhile."""

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError

from maos.errors import StackError
from sql.attempts import asking_for_standing
from sql.pipelines import Worded
from sql.session import org_session, org_session_with, system_session
from sql.tables import Organization
from sql.trips import send
from tests.gates import rows
from tests.tenants import fill

_ADD = Worded(text("INSERT INTO organizations (slug, name) VALUES (:slug, 'One')"))
_NAMES = Worded(text("SELECT name FROM organizations WHERE slug = :slug"))


def test_each_statement_sees_what_the_session_and_those_before_it_have_written(org_id: UUID) -> None:  # noqa: ARG001
    with system_session() as session:
        session.add(Organization(slug="added", name="Added"))
        first, added, second = send(
            _NAMES.of(slug="added"), _ADD.of(slug="one"), _NAMES.of(slug="one"), session=session
        )

    assert (first, added, second) == ([("Added",)], [], [("One",)])


def test_of_statements_that_went_together_none_counts_when_one_fails(org_id: UUID) -> None:  # noqa: ARG001
    with pytest.raises(IntegrityError, match="organizations_slug_key") as failed, system_session() as session:
        send(_ADD.of(slug="two"), _ADD.of(slug="two"), _NAMES.of(slug="two"), session=session)

    assert rows("SELECT 1 FROM organizations WHERE slug = 'two'") == []
    # Errors are read by many: they tell no values of rows by way of the statement.
    assert "VALUES" not in str(failed.value)


def test_a_stranger_learns_nothing_of_where_a_step_stands(database: str) -> None:  # noqa: ARG001
    victim, stranger = fill("victim", status="executing"), fill("stranger")
    asking = asking_for_standing(victim.run, "act", org_id=victim.id)

    for tenant, expected in ((victim, True), (stranger, False)):
        with org_session_with(*asking, org_id=tenant.id) as (_, answers):
            assert [bool(answer) for answer in answers] == [expected] * 3


def test_whoever_listens_to_the_engine_hears_of_them(org_id: UUID) -> None:  # noqa: ARG001
    heard: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        heard.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with system_session() as session:
            send(_NAMES.of(slug="a"), _NAMES.of(slug="b"), session=session)
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert heard == [_NAMES.words, _NAMES.words]


def test_after_a_restart_of_the_database_no_dead_connection_is_handed_out(
    database: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kill_connections(database, org_id)
    monkeypatch.setattr("sql.session._TRUSTED_SECONDS", 0.0)

    with org_session(org_id) as session:
        assert send(_NAMES.of(slug="demo"), session=session) == [[("Demo Trading Ltd",)]]


def test_one_that_dies_within_a_second_is_the_database_s_failure_and_the_next_one_lives(
    database: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kill_connections(database, org_id)
    monkeypatch.setattr("sql.session._TRUSTED_SECONDS", 600.0)

    with pytest.raises(StackError, match="it does not answer"), org_session(org_id):
        pass
    with org_session(org_id) as session:
        assert send(_NAMES.of(slug="demo"), session=session) == [[("Demo Trading Ltd",)]]


def _kill_connections(database: str, org_id: UUID) -> None:
    with org_session(org_id):
        pass
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
