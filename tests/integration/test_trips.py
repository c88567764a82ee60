"""Statements that go to the database together, and connections that died meanwhile."""

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from maos.errors import StackError
from maos.statuses import InvocationStatus
from sql.attempts import End, asking_for_standing, ending
from sql.pipelines import Worded
from sql.session import org_session, org_session_with, system_session
from sql.tables import Organization
from sql.trips import send, send_later
from tests.gates import rows
from tests.rows import invocation
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


def test_what_is_sent_later_is_there_for_whatever_else_the_session_does(org_id: UUID) -> None:  # noqa: ARG001
    found = []
    for number, ask in enumerate((_by_statement, _by_trip, _by_rows)):
        with system_session() as session:
            send_later(_ADD.of(slug=f"later-{number}"), session=session)
            found.append(ask(f"later-{number}", session))

    assert found == ["One"] * 3
    assert rows("SELECT slug FROM organizations WHERE slug LIKE 'later-%' ORDER BY 1") == [
        ("later-0",),
        ("later-1",),
        ("later-2",),
    ]


def _by_statement(slug: str, session: Session) -> object:
    return session.scalar(text("SELECT name FROM organizations WHERE slug = :slug"), {"slug": slug})


def _by_trip(slug: str, session: Session) -> object:
    return send(_NAMES.of(slug=slug), session=session)[0][0][0]


def _by_rows(slug: str, session: Session) -> object:
    return session.exec(select(Organization.name).where(Organization.slug == slug)).one()


def test_what_is_sent_later_is_sent_with_the_commit_and_not_when_all_is_undone(org_id: UUID) -> None:  # noqa: ARG001
    with system_session() as session:
        send_later(_ADD.of(slug="committed"), session=session)
    with system_session() as session:
        send_later(_ADD.of(slug="undone"), session=session)
        session.rollback()
    for _ in range(3):
        # The connection is used again; what was for the transaction that is undone is forgotten.
        with system_session() as session:
            send(_NAMES.of(slug="undone"), session=session)

    assert rows("SELECT slug FROM organizations WHERE slug IN ('committed', 'undone')") == [("committed",)]


@pytest.mark.parametrize("is_sent", [False, True])
def test_what_was_sent_later_before_a_savepoint_outlives_what_is_undone_to_it(
    org_id: UUID,  # noqa: ARG001
    is_sent: bool,
) -> None:
    with system_session() as session:
        send_later(_ADD.of(slug="before"), session=session)
        part = session.begin_nested()
        send_later(_ADD.of(slug="within"), session=session)
        if is_sent:
            send(_NAMES.of(slug="within"), session=session)
        part.rollback()
        send_later(_ADD.of(slug="after"), session=session)

    assert rows("SELECT slug FROM organizations WHERE slug IN ('before', 'within', 'after') ORDER BY 1") == [
        ("after",),
        ("before",),
    ]


def test_a_failure_at_the_commit_is_one_and_nothing_is_written(org_id: UUID) -> None:  # noqa: ARG001
    with pytest.raises(IntegrityError, match="organizations_slug_key"), system_session() as session:
        send_later(_ADD.of(slug="first"), _ADD.of(slug="demo"), session=session)

    assert rows("SELECT 1 FROM organizations WHERE slug = 'first'") == []


def test_after_a_failure_the_connection_is_as_good_as_before(org_id: UUID) -> None:  # noqa: ARG001
    never_prepared = Worded(text("SELECT 1 + :number"))
    for _ in range(3):
        with pytest.raises(IntegrityError), system_session() as session:
            send(_ADD.of(slug="demo"), never_prepared.of(number=1), session=session)
        with system_session() as session:
            assert send(never_prepared.of(number=1), _NAMES.of(slug="demo"), session=session) == [
                [(2,)],
                [("Demo Trading Ltd",)],
            ]


def test_a_small_number_does_not_decide_that_no_large_one_is_taken(org_id: UUID) -> None:  # noqa: ARG001
    double = Worded(text("SELECT 2 * CAST(:number AS bigint)"))
    with system_session() as session:
        found = [send(double.of(number=number), session=session)[0][0][0] for number in (1, 300, 2**40, None)]

    assert found == [2, 600, 2**41, None]


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


def test_a_stranger_ends_no_attempt(database: str) -> None:  # noqa: ARG001
    victim, stranger = fill("victim", status="executing"), fill("stranger")
    with org_session(victim.id) as session:
        running = invocation(victim.id, victim.run, "0", step="under way")
        running_id = running.id
        session.add(running)

    for tenant, expected in ((stranger, False), (victim, True)):
        with org_session(tenant.id) as session:
            (found,) = send(ending(running_id, End(InvocationStatus.COMPLETED, output={})), session=session)
        assert bool(found) is expected


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
