"""Rows of `mail_messages`: claimed by one run, settled when it has ended, or free for the next one."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Text, any_, literal, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from maos.mail import ReadMail
from maos.mail_outcomes import MailOutcome
from maos.statuses import RunStatus
from sql.mail_tables import MailMessage
from sql.tables import OrchestratorRun, utc_now

# One array, not a place for each key: a mailbox may have more than a statement has places.
_UNKNOWN = text("""
    SELECT given.key FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS given (key, place)
    WHERE NOT EXISTS (SELECT FROM mail_messages m WHERE m.org_id = :org_id AND m.mailbox = :mailbox
                      AND m.rehearsal = :rehearsal AND m.key = given.key)
    ORDER BY given.place LIMIT :most
""")
_ENDED = [status for status in RunStatus if status.ended]


@dataclass(frozen=True)
class Claimant:
    """For which run messages are taken, from which mailbox."""

    org_id: UUID
    run_id: UUID
    mailbox: str
    rehearsal: bool


def claimed_by(run_id: UUID, *, session: Session) -> Sequence[MailMessage]:
    """Return the messages that a run has, in its order."""
    statement = select(MailMessage).where(MailMessage.run_id == run_id, MailMessage.status == "claimed")
    return session.exec(statement.order_by(col(MailMessage.number))).all()


def claim_free(who: Claimant, keys: Sequence[str], *, after: int, limit: int, session: Session) -> int:
    """Take messages that an earlier run left; return how many. Whoever else does it gets others.

    Args:
        after: how many messages the run has already.
    """
    found = session.exec(
        select(MailMessage.id)
        .where(*_of(who), MailMessage.status == "free", _key_in(keys))
        .order_by(col(MailMessage.claimed_at), col(MailMessage.key))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for number, message_id in enumerate(found, start=after + 1):
        session.execute(
            update(MailMessage)
            .where(col(MailMessage.id) == message_id)
            .values(
                run_id=who.run_id,
                number=number,
                status="claimed",
                claims=MailMessage.claims + 1,
                outcome=None,
                reason=None,
                claimed_at=utc_now(),
            )
        )
    return len(found)


def unknown_keys(who: Claimant, keys: Sequence[str], *, limit: int, session: Session) -> list[str]:
    """Return the first of the keys that no run has taken."""
    values = {**asdict(who), "keys": list(keys), "most": limit}
    return list(session.scalars(_UNKNOWN, values))


def claim_new(who: Claimant, keys: Sequence[str], *, after: int, session: Session) -> int:
    """Take messages that nobody has taken; return how many: another run may have been quicker."""
    taken = 0
    for key in keys:
        row = MailMessage(
            org_id=who.org_id,
            run_id=who.run_id,
            mailbox=who.mailbox,
            rehearsal=who.rehearsal,
            key=key,
            number=after + taken + 1,
        )
        values = row.model_dump(exclude={"faults"})
        added = session.execute(
            insert(MailMessage).values(**values, faults=[]).on_conflict_do_nothing().returning(col(MailMessage.id))
        ).first()
        taken += added is not None
    return taken


def note_read(message_id: UUID, mail: ReadMail, *, session: Session) -> bool:
    """Write down what a message is; return False where a copy of it has been taken before."""
    _note(message_id, mail, session=session)
    try:
        with session.begin_nested():
            _update(message_id, fingerprint=mail.fingerprint, session=session)
    except IntegrityError:
        note_outcome(message_id, MailOutcome.DUPLICATE, "a copy of it has been taken before", session=session)
        return False
    return True


def _note(message_id: UUID, mail: ReadMail, *, session: Session) -> None:
    _update(
        message_id,
        message_id=mail.message_id,
        thread=mail.thread,
        sender=mail.sender.address if mail.sender else None,
        subject=mail.subject,
        kind=mail.kind,
        faults=[fault.model_dump(mode="json") for fault in mail.faults],
        session=session,
    )


def note_outcome(message_id: UUID, outcome: MailOutcome, reason: str, *, session: Session) -> None:
    """Write down what becomes of a message of which nothing more has to be done."""
    _update(message_id, outcome=outcome, reason=reason, session=session)


def runs_to_settle(mailbox: str | None, *, session: Session) -> Sequence[UUID]:
    """Return the runs that have ended and have messages of which nobody has said yet what became of them."""
    statement = (
        select(MailMessage.run_id)
        .join(OrchestratorRun, col(OrchestratorRun.id) == MailMessage.run_id)
        .where(MailMessage.status == "claimed", col(OrchestratorRun.status).in_(_ENDED))
        .distinct()
    )
    if mailbox:
        statement = statement.where(MailMessage.mailbox == mailbox)
    return session.exec(statement).all()


def lock_ended(run_id: UUID, *, session: Session) -> bool:
    """Keep a run that has ended from being taken up again while its messages are settled; False where it has been."""
    status = session.exec(
        select(OrchestratorRun.status).where(OrchestratorRun.id == run_id).with_for_update(key_share=True)
    ).first()
    return status in _ENDED


def settle(message_id: UUID, outcome: MailOutcome, reason: str, *, session: Session) -> None:
    """Write down what became of a message, for good."""
    _end(message_id, status="settled", outcome=outcome, reason=reason, settled_at=utc_now(), session=session)


def set_free(message_id: UUID, reason: str, *, tried: bool, session: Session) -> None:
    """Leave a message to the next run; a claim that came to nothing does not count."""
    claims = MailMessage.claims if tried else MailMessage.claims - 1
    _end(message_id, status="free", reason=reason, claims=claims, session=session)


def _end(message_id: UUID, *, session: Session, **values: object) -> None:
    session.execute(
        update(MailMessage)
        .where(col(MailMessage.id) == message_id, col(MailMessage.status) == "claimed")
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def holds_claim(run_id: UUID, number: int, *, session: Session) -> bool:
    """Say whether a message is a run's, now."""
    found = select(MailMessage.id).where(
        MailMessage.run_id == run_id, MailMessage.number == number, MailMessage.status == "claimed"
    )
    return session.exec(found).first() is not None


def unflagged(mailbox: str, *, session: Session) -> Sequence[MailMessage]:
    """Return the settled messages of a mailbox that do not say there that they are read."""
    return session.exec(
        select(MailMessage).where(
            MailMessage.mailbox == mailbox,
            MailMessage.status == "settled",
            col(MailMessage.flagged_at).is_(None),
            col(MailMessage.rehearsal).is_(False),
        )
    ).all()


def mark_flagged(message_ids: Collection[UUID], *, session: Session) -> None:
    """Note that messages say in their mailbox that they are read."""
    session.execute(update(MailMessage).where(col(MailMessage.id).in_(message_ids)).values(flagged_at=utc_now()))


def list_messages(*, org_id: UUID, limit: int, session: Session) -> Sequence[MailMessage]:
    """Return an organisation's messages, the newest first."""
    return session.exec(
        select(MailMessage)
        .where(MailMessage.org_id == org_id)
        .order_by(col(MailMessage.claimed_at).desc(), col(MailMessage.id).desc())
        .limit(limit)
    ).all()


def _update(row: UUID, /, *, session: Session, **values: object) -> None:
    statement = update(MailMessage).where(col(MailMessage.id) == row).values(**values)
    session.execute(statement.execution_options(synchronize_session=False))


def _key_in(keys: Sequence[str]) -> ColumnElement[bool]:
    return col(MailMessage.key) == any_(literal(list(keys), ARRAY(Text)))


def _of(who: Claimant) -> tuple[ColumnElement[bool], ...]:
    return (
        col(MailMessage.org_id) == who.org_id,
        col(MailMessage.mailbox) == who.mailbox,
        col(MailMessage.rehearsal) == who.rehearsal,
    )
