"""Claiming messages for a run: of any number of runs that overlap, one gets each."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from maos.mail import TakenMail
from maos.mail_outcomes import MailOutcome
from maos.mail_plan import place_of
from sql import mail_messages
from sql.mail_messages import Claimant
from sql.session import org_session
from tasks.ledger import find_run
from tasks.outages import outlasting

# Another run may be quicker with the first ones: the next ones are tried.
_ROUNDS = 20


def recipient_of(run_id: UUID, mailbox: str) -> Claimant:
    """Return for whom messages are claimed.

    Raises:
        LookupError: when nobody knows the run.
    """
    run = find_run(run_id)
    if run is None:
        raise LookupError(str(run_id))
    return Claimant(org_id=run.org_id, run_id=run.id, mailbox=mailbox, rehearsal=run.rehearsal)


@outlasting
def claim(who: Claimant, keys: Sequence[str], *, most: int) -> dict[str, int]:
    """Take messages of a mailbox, and return the key of each with its place in the run.

    A run that comes by again gets what it has, and nothing more.
    """
    with org_session(who.org_id) as session:
        if held := mail_messages.claimed_by(who.run_id, session=session):
            return {row.key: row.number for row in held}
        taken = mail_messages.claim_free(who, keys, after=0, limit=most, session=session)
        for _ in range(_ROUNDS):
            wanted = mail_messages.unknown_keys(who, keys, limit=most - taken, session=session)
            if not wanted:
                break
            taken += mail_messages.claim_new(who, wanted, after=taken, session=session)
        return {row.key: row.number for row in mail_messages.claimed_by(who.run_id, session=session)}


@outlasting
def describe(
    who: Claimant, messages: Sequence[TakenMail], reasons: Mapping[int, tuple[MailOutcome, str]]
) -> dict[str, str]:
    """Write down what the messages of a run are; return those that nothing is done about, with the reason."""
    ignored: dict[str, str] = {}
    with org_session(who.org_id) as session:
        rows = {row.number: row for row in mail_messages.claimed_by(who.run_id, session=session)}
        for mail in messages:
            row = rows[mail.number]
            is_first = mail.file is None or mail_messages.note_read(row.id, mail, session=session)
            if not is_first:
                ignored[place_of(mail.number)] = "a copy of it has been taken before"
            elif mail.number in reasons:
                outcome, reason = reasons[mail.number]
                mail_messages.note_outcome(row.id, outcome, reason, session=session)
                ignored[place_of(mail.number)] = reason
    return ignored


@outlasting
def holds_claim(run_id: UUID, number: int) -> bool:
    """Say whether a message still is a run's: one that was taken up after its end may have lost it."""
    run = find_run(run_id)
    if run is None:
        return False
    with org_session(run.org_id) as session:
        return mail_messages.holds_claim(run_id, number, session=session)
