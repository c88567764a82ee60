"""A code shows once who somebody is: to their organisations, to nobody else, and not to whoever guesses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from pyotp import HOTP
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from maos.errors import BadInput, IdentityRefused, StackError
from maos.one_time_codes import time_step
from maos.settings import load_settings
from sql.audit import verify_chain
from sql.organizations import ensure_member, ensure_organization, find_member
from sql.reviewer_codes import enrolment_of, use_step
from sql.session import org_session, system_session
from tasks import enrolments, reviewers
from tasks.enrolments import Offer, enrol, offer_codes, revoke
from tasks.reviewers import Identity, identify
from tests.gates import rows

REVIEWER, OWNER, AUTHOR = "reviewer@demo.example", "owner@demo.example", "author@demo.example"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OTHER_SECRET = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
_RACERS = 30


class Clock:
    """The time as the code under test reads it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
        for module in (reviewers, enrolments):
            monkeypatch.setattr(module, "utc_now", lambda: self.now)

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def code(self, offset: int = 0, secret: str = SECRET) -> str:
        return HOTP(secret).at(time_step(self.now) + offset)

    def wrong(self) -> str:
        right = {self.code(offset) for offset in (-1, 0, 1)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def enrolled(org_id: UUID, clock: Clock) -> UUID:  # noqa: ARG001 - the time stands still from here on
    """The id of the organisation, whose reviewer has codes."""
    enrol(Offer(REVIEWER, OWNER, False, SECRET), None)
    return org_id


@pytest.fixture
def other(org_id: UUID) -> UUID:  # noqa: ARG001
    """The id of another organisation."""
    with system_session() as session:
        found = ensure_organization("other", "Other", session=session)
        ensure_member("boss@other.example", "Boss", "owner", org_id=found, session=session)
    return found


def _refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(IdentityRefused) as refused:
        attempt()
    return refused.value.reason


def _try(code: str, org_id: UUID) -> Identity | str:
    try:
        return identify(REVIEWER, code, org_id=org_id)
    except IdentityRefused as refused:
        return refused.reason


def _audit(org_id: UUID) -> list[tuple[object, ...]]:
    with system_session() as session:
        assert verify_chain(org_id, session=session)[1] is None
    return rows(f"SELECT event, success FROM agent_action_audit_log WHERE org_id = '{org_id}' ORDER BY sequence")


def test_a_code_shows_who_somebody_is(enrolled: UUID, clock: Clock) -> None:
    identity = identify(f" {REVIEWER.upper()}", f"{clock.code()[:3]} {clock.code()[3:]}", org_id=enrolled)

    assert (identity.email, identity.roles) == (REVIEWER, {"reviewer"})
    assert (identity.enrolled, identity.verified) == (True, True)
    with org_session(enrolled) as session:
        person = find_member(REVIEWER, session=session)
    assert person is not None
    assert identity.user_id == person.id


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_without_a_code_nobody_is_verified(enrolled: UUID, nothing: str | None) -> None:
    enrolled_one = identify(REVIEWER, nothing, org_id=enrolled)
    other_one = identify(AUTHOR, nothing, org_id=enrolled)

    assert (enrolled_one.enrolled, enrolled_one.verified) == (True, False)
    assert (other_one.enrolled, other_one.verified, other_one.roles) == (False, False, {"author"})


def test_each_refusal_says_which_rule_it_is(enrolled: UUID, clock: Clock) -> None:
    assert _refusal(lambda: identify("nobody@else.example", None, org_id=enrolled)) == (
        "is not a member of this organisation"
    )
    assert _refusal(lambda: identify(AUTHOR, clock.code(), org_id=enrolled)) == (
        "has no one-time codes enrolled; leave the code out"
    )
    assert _refusal(lambda: identify(REVIEWER, "12345", org_id=enrolled)) == "a one-time code is six digits"
    assert _refusal(lambda: identify(REVIEWER, clock.wrong(), org_id=enrolled)) == (
        "wrong code; 4 more in a row lock for 15 minutes"
    )
    identify(REVIEWER, clock.code(), org_id=enrolled)
    assert _refusal(lambda: identify(REVIEWER, clock.code(), org_id=enrolled)) == (
        "this code, or a newer one, was used already; wait for the next one"
    )


@pytest.mark.parametrize("typed", ["re\0viewer", "\ud800", "'; DROP TABLE users; --", "{{ 7*7 }}", "x" * 100_000])
def test_whatever_is_typed_as_the_reviewer_is_a_stranger(enrolled: UUID, typed: str) -> None:
    assert _refusal(lambda: identify(typed, "123456", org_id=enrolled)) == "is not a member of this organisation"


def test_a_code_that_is_older_than_the_one_used_last_is_refused(enrolled: UUID, clock: Clock) -> None:
    identify(REVIEWER, clock.code(+1), org_id=enrolled)

    assert "used already" in _refusal(lambda: identify(REVIEWER, clock.code(0), org_id=enrolled))
    assert "used already" in _refusal(lambda: identify(REVIEWER, clock.code(-1), org_id=enrolled))
    clock.later(seconds=60)
    assert identify(REVIEWER, clock.code(), org_id=enrolled).verified


def test_of_racing_uses_of_one_code_exactly_one_succeeds(enrolled: UUID, clock: Clock) -> None:
    for _ in range(5):
        code = clock.code()
        with ThreadPoolExecutor(_RACERS) as pool:
            answers = list(pool.map(lambda _, code=code: _try(code, enrolled), range(_RACERS)))

        (winner,) = [answer for answer in answers if isinstance(answer, Identity)]
        assert winner.verified
        assert len([answer for answer in answers if "used already" in str(answer)]) == _RACERS - 1
        clock.later(seconds=30)


def test_the_statement_that_uses_a_code_lets_one_through_without_any_other_lock(enrolled: UUID, clock: Clock) -> None:
    with org_session(enrolled) as session:
        person = find_member(REVIEWER, session=session)
        enrolment = enrolment_of(person.id, session=session) if person else None
    assert enrolment is not None
    step = time_step(clock.now)

    def use(_: int) -> bool:
        with org_session(enrolled) as session:
            return use_step(enrolment.id, step, session=session)

    with ThreadPoolExecutor(_RACERS) as pool:
        assert sorted(pool.map(use, range(_RACERS))) == [False] * (_RACERS - 1) + [True]


def test_five_wrong_codes_in_a_row_lock_for_fifteen_minutes(enrolled: UUID, clock: Clock) -> None:
    for _ in range(4):
        assert "wrong code; " in _refusal(lambda: identify(REVIEWER, clock.wrong(), org_id=enrolled))

    assert _refusal(lambda: identify(REVIEWER, clock.wrong(), org_id=enrolled)) == (
        "wrong code, number 5 in a row; locked until 2026-11-28 12:15:00 UTC"
    )
    clock.later(minutes=14, seconds=59)
    assert _refusal(lambda: identify(REVIEWER, clock.code(), org_id=enrolled)) == (
        "locked until 2026-11-28 12:15:00 UTC after 5 wrong codes in a row"
    )
    clock.later(seconds=1)
    assert identify(REVIEWER, clock.code(), org_id=enrolled).verified
    assert _audit(enrolled) == [
        ("reviewer.enrolled", True),
        *[("reviewer.code_wrong", False)] * 5,
        ("reviewer.locked", False),
    ]


def test_guessing_on_after_a_lock_gets_one_try(enrolled: UUID, clock: Clock) -> None:
    for _ in range(5):
        _try(clock.wrong(), enrolled)
    clock.later(minutes=15)

    assert _try(clock.wrong(), enrolled) == "wrong code, number 6 in a row; locked until 2026-11-28 12:30:00 UTC"


def test_a_right_code_ends_the_row_of_wrong_ones(enrolled: UUID, clock: Clock) -> None:
    for _ in range(4):
        _try(clock.wrong(), enrolled)
    identify(REVIEWER, clock.code(), org_id=enrolled)

    assert _try(clock.wrong(), enrolled) == "wrong code; 4 more in a row lock for 15 minutes"


def test_guesses_at_the_same_time_get_five_tries_too(enrolled: UUID, clock: Clock) -> None:
    with ThreadPoolExecutor(_RACERS) as pool:
        answers = list(pool.map(lambda _: str(_try(clock.wrong(), enrolled)), range(_RACERS)))

    assert len([answer for answer in answers if answer.startswith("wrong code")]) == 5
    assert len([answer for answer in answers if answer.startswith("locked until")]) == _RACERS - 5
    assert rows("SELECT wrong_codes FROM reviewer_codes") == [(5,)]


def test_a_lock_does_not_keep_anybody_else_out(enrolled: UUID, clock: Clock) -> None:
    enrol(Offer(OWNER, OWNER, False, OTHER_SECRET), None)
    for _ in range(5):
        _try(clock.wrong(), enrolled)

    assert identify(OWNER, clock.code(secret=OTHER_SECRET), org_id=enrolled).verified


def test_a_code_that_was_given_again_is_audited(enrolled: UUID, clock: Clock) -> None:
    identify(REVIEWER, clock.code(), org_id=enrolled)
    _try(clock.code(), enrolled)

    assert _audit(enrolled)[1:] == [("reviewer.code_reused", False)]


def test_the_secret_stands_nowhere_in_the_database(enrolled: UUID, clock: Clock, database: str) -> None:
    _try(clock.wrong(), enrolled)
    identify(REVIEWER, clock.code(), org_id=enrolled)
    key = load_settings().encryption_key_file.read_text()
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        dump = "\n".join(
            str(row[0]) for (table,) in tables for row in connection.execute(f"SELECT t::text FROM {table} t".encode())
        )

    assert REVIEWER in dump
    assert "gAAAA" in dump
    assert [word for word in (SECRET, SECRET.lower(), key, clock.code()) if word in dump] == []


def test_a_secret_that_is_moved_to_another_person_is_refused(enrolled: UUID, clock: Clock, database: str) -> None:
    enrol(Offer(OWNER, OWNER, False, OTHER_SECRET), None)
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE reviewer_codes a SET sealed_secret = b.sealed_secret FROM reviewer_codes b WHERE a.id <> b.id"
        )

    with pytest.raises(StackError, match="it was moved here"):
        identify(OWNER, clock.code(), org_id=enrolled)


def test_a_lost_key_is_told_and_counts_no_wrong_code(enrolled: UUID, clock: Clock) -> None:
    load_settings().encryption_key_file.unlink()

    with pytest.raises(StackError, match=r"encryption\.key is missing"):
        identify(REVIEWER, clock.code(), org_id=enrolled)
    assert rows("SELECT wrong_codes, last_used_step FROM reviewer_codes") == [(0, 0)]


def test_a_secret_as_it_is_cannot_be_written(enrolled: UUID) -> None:  # noqa: ARG001
    with pytest.raises(IntegrityError, match="sealed_secret_check"), system_session() as session:
        session.execute(text(f"UPDATE reviewer_codes SET sealed_secret = '{SECRET}'"))


def test_another_organisation_sees_uses_and_locks_nothing(enrolled: UUID, other: UUID, clock: Clock) -> None:
    assert "not a member" in _refusal(lambda: identify(REVIEWER, clock.code(), org_id=other))
    ((user_id, enrolment_id),) = rows("SELECT user_id, id FROM reviewer_codes")

    with org_session(other) as session:
        assert enrolment_of(user_id, session=session) is None
        assert not use_step(enrolment_id, time_step(clock.now), session=session)
        assert session.execute(text("UPDATE reviewer_codes SET wrong_codes = 9 RETURNING id")).all() == []
    assert identify(REVIEWER, clock.code(), org_id=enrolled).verified


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reviewer_codes SET sealed_secret = NULL",
        "UPDATE reviewer_codes SET user_id = gen_random_uuid()",
        "UPDATE reviewer_codes SET revoked_at = now(), revoked_by = 'me'",
        "INSERT INTO reviewer_codes (user_id, enrolled_at, enrolled_by) VALUES (gen_random_uuid(), now(), 'me')",
        "DELETE FROM reviewer_codes",
        "SELECT enrolled_by FROM reviewer_codes",
    ],
)
def test_the_application_cannot_enrol_exchange_or_revoke(enrolled: UUID, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), org_session(enrolled) as session:
        session.execute(text(statement))


def test_nobody_makes_a_used_code_good_again(enrolled: UUID, clock: Clock) -> None:
    identify(REVIEWER, clock.code(), org_id=enrolled)

    with pytest.raises(IntegrityError, match="only grows"), org_session(enrolled) as session:
        session.execute(text("UPDATE reviewer_codes SET last_used_step = last_used_step - 1"))


def test_a_code_is_used_in_all_organisations_of_a_person(enrolled: UUID, other: UUID, clock: Clock) -> None:
    with system_session() as session:
        ensure_member(REVIEWER, "Reviewer", "auditor", org_id=other, session=session)

    assert identify(REVIEWER, clock.code(), org_id=other).roles == {"auditor"}
    assert "used already" in str(_try(clock.code(), enrolled))


@pytest.mark.parametrize("person", [AUTHOR, REVIEWER, "boss@other.example", "nobody@else.example"])
@pytest.mark.usefixtures("other")
def test_only_an_owner_of_an_organisation_of_theirs_enrols_and_revokes(enrolled: UUID, person: str) -> None:
    with pytest.raises(BadInput, match=f"an owner of an organisation that {REVIEWER} belongs to"):
        offer_codes(REVIEWER, by=person, replace=True)
    with pytest.raises(BadInput, match="an owner of an organisation"):
        enrol(Offer(REVIEWER, person, True, OTHER_SECRET), None)
    with pytest.raises(BadInput, match="an owner of an organisation"):
        revoke(REVIEWER, by=person)

    assert _audit(enrolled) == [("reviewer.enrolled", True)]


def test_codes_that_somebody_has_are_replaced_only_on_purpose(enrolled: UUID, clock: Clock) -> None:
    with pytest.raises(BadInput, match="--replace"):
        enrol(Offer(REVIEWER, OWNER, False, OTHER_SECRET), None)
    enrol(Offer(REVIEWER, OWNER, True, OTHER_SECRET), clock.code(secret=OTHER_SECRET))

    assert "wrong code" in str(_try(clock.code(), enrolled))
    # The first code was used to confirm.
    assert "used already" in str(_try(clock.code(secret=OTHER_SECRET), enrolled))
    clock.later(seconds=30)
    assert identify(REVIEWER, clock.code(secret=OTHER_SECRET), org_id=enrolled).verified
    assert rows("SELECT count(*), count(sealed_secret), count(revoked_at) FROM reviewer_codes") == [(2, 1, 1)]


def test_who_enrols_somebody_at_the_same_moment_is_told(org_id: UUID, clock: Clock) -> None:
    def attempt(secret: str) -> str:
        try:
            enrol(Offer(REVIEWER, OWNER, False, secret), None)
        except BadInput as refused:
            return str(refused)
        return secret

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, [SECRET, OTHER_SECRET] * 4))

    (winner,) = [answer for answer in answers if answer in (SECRET, OTHER_SECRET)]
    assert identify(REVIEWER, clock.code(secret=winner), org_id=org_id).verified


def test_revoked_codes_show_nobody(enrolled: UUID, clock: Clock) -> None:
    revoke(REVIEWER, by=OWNER)

    assert "has no one-time codes" in str(_try(clock.code(), enrolled))
    assert not identify(REVIEWER, None, org_id=enrolled).enrolled
    assert rows("SELECT sealed_secret, revoked_by FROM reviewer_codes") == [(None, OWNER)]
    with pytest.raises(BadInput, match="somebody who has one-time codes"):
        revoke(REVIEWER, by=OWNER)


def test_every_organisation_of_a_person_learns_of_it_and_of_nobody_elses_people(enrolled: UUID, other: UUID) -> None:
    with system_session() as session:
        ensure_member(REVIEWER, "Reviewer", "reviewer", org_id=other, session=session)
    revoke(REVIEWER, by=OWNER)

    assert _audit(enrolled)[-1] == ("reviewer.revoked", True)
    assert _audit(other) == [("reviewer.revoked", True)]
    ((actor, summary),) = rows(f"SELECT actor, summary FROM agent_action_audit_log WHERE org_id = '{other}'")
    assert actor == "an owner of another organisation"
    assert OWNER not in summary
