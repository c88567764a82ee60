"""Who decides: a member of the organisation, shown by a one-time code where one is given."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from maos.audit import AuditEvent
from maos.decisions import Reviewer
from maos.errors import IdentityRefused
from maos.one_time_codes import LOCKED_FOR, MOST_WRONG_CODES, locked_until, step_of, typed_code
from sql import audit, organizations, reviewer_codes
from sql.reviewer_codes import Enrolment
from sql.session import org_session
from sql.tables import User, utc_now
from tasks.encryption import unseal


@dataclass(frozen=True)
class Identity:
    """A member of an organisation, and how sure that is.

    Args:
        enrolled: the person has one-time codes.
        verified: one of them was given, was right, and is used now.
    """

    org_id: UUID
    user_id: UUID
    email: str
    roles: frozenset[str]
    enrolled: bool
    verified: bool

    @property
    def reviewer(self) -> Reviewer:
        """The person as the rules of decisions see them."""
        return Reviewer(email=self.email, roles=self.roles, verified=self.verified)


@dataclass(frozen=True)
class _Claim:
    """A code that somebody gave as a person's."""

    org_id: UUID
    email: str
    enrolment: Enrolment
    at: datetime


def identify(reviewer: str, code: str | None, *, org_id: UUID) -> Identity:
    """Return who somebody is in an organisation; a code is used up, whatever it is then used for.

    In a transaction of its own: one code covers all decisions of a form or a command. Without a code the identity is
    unverified; whether that is enough is the approval's policy.

    Raises:
        IdentityRefused: naming the rule: no member, no codes enrolled, wrong, used already, locked.
        StackError: when the key that the person's secret is encrypted with is lost.
    """
    email, given = reviewer.strip().lower(), (code or "").strip()
    with org_session(org_id) as session:
        person, roles = _member(email, org_id=org_id, session=session)
        # Locked: tried at the same time, any number of codes would be compared before the first is counted.
        enrolment = reviewer_codes.enrolment_of(person.id, locked=bool(given), session=session)
        if given and enrolment is None:
            raise IdentityRefused(email, "has no one-time codes enrolled; leave the code out")
        refusal = None
        if given and enrolment:
            refusal = _refusal_of(given, _Claim(org_id, email, enrolment, utc_now()), session=session)
    # Only now: what was counted and audited must stay.
    if refusal:
        raise IdentityRefused(email, refusal)
    return Identity(org_id, person.id, email, roles, enrolled=enrolment is not None, verified=bool(given))


def place_of(enrolment_id: UUID, user_id: UUID) -> str:
    """Return the place that a secret is encrypted for: in another row it is of no use."""
    return f"reviewer_codes/{enrolment_id}/{user_id}"


def _member(email: str, *, org_id: UUID, session: Session) -> tuple[User, frozenset[str]]:
    # Whatever was typed: the database refuses some of it with an error of its own.
    person = organizations.find_member(email, session=session) if email.isprintable() else None
    roles = organizations.roles_of(person.id, org_id=org_id, session=session) if person else frozenset()
    if person is None or not roles:
        raise IdentityRefused(email, "is not a member of this organisation")
    return person, roles


def _refusal_of(given: str, claim: _Claim, *, session: Session) -> str | None:
    enrolment = claim.enrolment
    code = typed_code(given)
    if code is None:
        return "a one-time code is six digits"
    if enrolment.locked_until and claim.at < enrolment.locked_until:
        return f"locked until {_time(enrolment.locked_until)} after {enrolment.wrong_codes} wrong codes in a row"
    secret = unseal(enrolment.sealed_secret, context=place_of(enrolment.id, enrolment.user_id))
    step = step_of(secret, code, now=claim.at)
    if step is None:
        return _count_wrong(claim, session=session)
    if not reviewer_codes.use_step(enrolment.id, step, session=session):
        _note(claim, "code_reused", "a one-time code was given again", session=session)
        return "this code, or a newer one, was used already; wait for the next one"
    return None


def _count_wrong(claim: _Claim, *, session: Session) -> str:
    count = claim.enrolment.wrong_codes + 1
    until = locked_until(count, now=claim.at)
    reviewer_codes.count_wrong_code(claim.enrolment.id, count, at=claim.at, locked_until=until, session=session)
    _note(claim, "code_wrong", f"wrong one-time code, number {count} in a row", session=session)
    if until is None:
        left, minutes = MOST_WRONG_CODES - count, int(LOCKED_FOR.total_seconds()) // 60
        return f"wrong code; {left} more in a row lock for {minutes} minutes"
    _note(claim, "locked", f"locked until {_time(until)} after {count} wrong codes in a row", session=session)
    return f"wrong code, number {count} in a row; locked until {_time(until)}"


def _note(claim: _Claim, event: str, what: str, *, session: Session) -> None:
    happened = AuditEvent(
        event=f"reviewer.{event}",
        # Who it was said to be: who it was is just what is not known.
        actor=claim.email,
        run_id=None,
        was_automatic=False,
        success=False,
        summary=f"{claim.email} (identity unverified): {what}",
    )
    audit.append_audit(happened, org_id=claim.org_id, session=session)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
