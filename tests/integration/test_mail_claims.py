"""Messages are claimed in the database: of any number of runs that overlap, one takes each."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from maos.mail import TakenMail
from maos.mail_reading import read_mail
from maos.statuses import RunStatus
from sql import mail_messages
from sql.mail_messages import Claimant
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tasks.files import write_file
from tasks.mail_claims import claim, describe, holds_claim
from tasks.mail_closing import _settle
from tests.gates import rows
from tests.mail_corpus import mail
from tests.rows import add_run, invocation

PLACE = "imap://desk@mail.example:993/INBOX"


def claimant(org_id: UUID, *, place: str = PLACE, rehearsal: bool = False) -> Claimant:
    run = add_run(org_id, entrypoint="process_email", rehearsal=rehearsal)
    return Claimant(org_id=org_id, run_id=run, mailbox=place, rehearsal=rehearsal)


def end(who: Claimant, status: RunStatus = RunStatus.FAILED) -> None:
    """Give a run its end, and settle what it had."""
    with org_session(who.org_id) as session:
        session.execute(
            text("UPDATE orchestrator_runs SET status = :status, completed_at = now() WHERE id = :id"),
            {"status": status.value, "id": who.run_id},
        )
    _settle(who.org_id, who.mailbox)


def taken(number: int, body: str = "Hello") -> TakenMail:
    content = mail(body)
    file = write_file(Path(mkdtemp()), "m.eml", content, "message/rfc822")
    return TakenMail(**dict(read_mail(content)), number=number, file=file)


def test_runs_that_overlap_never_take_the_same_message_and_leave_none(org_id: UUID) -> None:
    runs = [claimant(org_id) for _ in range(8)]
    keys = [f"7:{uid}" for uid in range(1, 61)]

    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda who: claim(who, keys, most=10), runs))

    got = [key for each in claimed for key in each]
    assert len(got) == len(set(got))
    # Each run asked for ten of sixty: whoever was slower has the next ones, until there are none.
    assert set(got) == set(keys)
    for each in claimed:
        assert sorted(each.values()) == list(range(1, len(each) + 1))


def test_a_mailbox_may_have_more_messages_than_a_statement_has_places(org_id: UUID) -> None:
    keys = [f"7:{uid}" for uid in range(70_000)]
    who = claimant(org_id)

    assert claim(who, keys, most=2) == {"7:0": 1, "7:1": 2}
    assert claim(claimant(org_id), keys, most=2) == {"7:2": 1, "7:3": 2}


def test_copies_that_two_runs_read_at_once_are_handled_by_one(org_id: UUID) -> None:
    runs = [claimant(org_id) for _ in range(6)]
    for number, who in enumerate(runs):
        claim(who, [f"7:{number}"], most=1)

    with ThreadPoolExecutor(6) as pool:
        ignored = list(pool.map(lambda who: describe(who, [taken(1)], {}), runs))

    assert sorted(len(each) for each in ignored) == [0, 1, 1, 1, 1, 1]
    assert rows("SELECT outcome, count(*) FROM mail_messages GROUP BY outcome ORDER BY outcome") == [
        ("duplicate", 5),
        (None, 1),
    ]


def test_a_run_that_comes_by_again_has_what_it_had(org_id: UUID) -> None:
    who = claimant(org_id)
    first = claim(who, ["7:1", "7:2"], most=1)

    assert claim(who, ["7:0", "7:1", "7:2"], most=5) == first == {"7:1": 1}


def test_what_a_run_left_goes_to_the_next_one_and_is_no_longer_its_own(org_id: UUID) -> None:
    first, second = claimant(org_id), claimant(org_id)
    claim(first, ["7:1"], most=5)
    end(first)

    assert claim(second, ["7:1"], most=5) == {"7:1": 1}
    assert not holds_claim(first.run_id, 1)
    assert holds_claim(second.run_id, 1)
    # The first one never came to reading it.
    assert rows("SELECT claims FROM mail_messages") == [(1,)]


def test_a_run_that_was_taken_up_again_keeps_its_messages(org_id: UUID) -> None:
    first, second = claimant(org_id), claimant(org_id)
    claim(first, ["7:1"], most=5)
    _settle(org_id, PLACE)

    assert claim(second, ["7:1"], most=5) == {}
    assert holds_claim(first.run_id, 1)


def test_a_message_that_no_run_can_handle_is_given_up(org_id: UUID) -> None:
    for _ in range(3):
        who = claimant(org_id)
        assert claim(who, ["7:1"], most=5) == {"7:1": 1}
        with org_session(org_id) as session:
            row = invocation(org_id, who.run_id, "0", step="take_mail")
            row.output = {}
            row.status, row.completed_at = "completed", row.started_at
            session.add(row)
        end(who)

    assert claim(claimant(org_id), ["7:1"], most=5) == {}
    ((status, outcome, reason),) = rows("SELECT status, outcome, reason FROM mail_messages")
    assert (status, outcome) == ("settled", "given_up")
    assert reason.startswith("3 runs could not handle it")


def test_a_rehearsal_takes_nothing_from_a_run_that_is_none(org_id: UUID) -> None:
    claim(claimant(org_id, rehearsal=True), ["7:1"], most=5)

    assert claim(claimant(org_id), ["7:1"], most=5) == {"7:1": 1}


def test_other_mailboxes_and_other_organisations_have_messages_of_their_own(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    claim(claimant(org_id), ["7:1"], most=5)

    assert claim(claimant(org_id, place="maildir:/mail"), ["7:1"], most=5) == {"7:1": 1}
    assert claim(claimant(other), ["7:1"], most=5) == {"7:1": 1}
    with org_session(other) as session:
        assert len(mail_messages.list_messages(org_id=org_id, limit=10, session=session)) == 0


def test_no_message_is_forgotten_or_becomes_another(org_id: UUID) -> None:
    claim(claimant(org_id), ["7:1"], most=5)

    for statement in ("DELETE FROM mail_messages", "UPDATE mail_messages SET key = 'x'"):
        with org_session(org_id) as session, pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text(statement))
