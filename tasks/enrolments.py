"""Giving people one-time codes and taking them away: what owners of their organisations do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from pyotp import random_base32
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from maos.audit import AuditEvent
from maos.errors import BadInput, IdentityRefused
from maos.one_time_codes import app_address, step_of, typed_code
from sql import audit, organizations, reviewer_codes
from sql.reviewer_tables import ReviewerCode
from sql.session import system_session
from sql.tables import utc_now
from tasks.encryption import reseal, seal
from tasks.reviewers import place_of

_MAY_ENROL = "owner"
_ANOTHER_OWNER = "an owner of another organisation"


@dataclass(frozen=True)
class Offer:
    """A secret for a person, shown to them once; nothing of it is written yet."""

    email: str
    by: str
    replace: bool
    secret: str = field(repr=False)

    @property
    def address(self) -> str:
        """What an authenticator app scans."""
        return app_address(self.email, self.secret)


@dataclass(frozen=True)
class _Change:
    """A person whose codes change, and in whose name; audited in every organisation of the person."""

    user_id: UUID
    email: str
    by: str
    organisations: Sequence[UUID]
    known_in: frozenset[UUID]


def offer_codes(email: str, *, by: str, replace: bool) -> Offer:
    """Return a new secret for a person.

    Args:
        by: the owner who enrols.
        replace: whether it takes the place of codes that the person has.

    Raises:
        BadInput: when the owner may not, or the person has codes that are not to be replaced.
    """
    offer = Offer(email.strip().lower(), by.strip().lower(), replace, random_base32())
    with system_session() as session:
        _change(offer, session=session)
    return offer


def enrol(offer: Offer, code: str | None) -> None:
    """Enrol a person: from here on their codes are asked for.

    Args:
        code: the first code, which shows that the app has the secret and the right time; it is used up.

    Raises:
        IdentityRefused: when the code is not of this secret and this moment.
        BadInput: as `offer_codes`, or when somebody else enrols the person at the same moment.
    """
    step = 0 if code is None else _step_of_first(offer, code)
    enrolment_id = uuid4()
    try:
        with system_session() as session:
            change = _change(offer, session=session)
            replaced = offer.replace and reviewer_codes.revoke_enrolment(change.user_id, by=offer.by, session=session)
            row = ReviewerCode(
                id=enrolment_id,
                user_id=change.user_id,
                sealed_secret=seal(offer.secret, context=place_of(enrolment_id, change.user_id)),
                enrolled_by=offer.by,
                last_used_step=step,
            )
            session.add(row)
            session.flush()
            _note(change, "enrolled", "replaced" if replaced else "enrolled", session=session)
    except IntegrityError:
        raise BadInput("EMAIL", offer.email, "somebody whom nobody else enrols at the same moment") from None


def revoke(email: str, *, by: str) -> None:
    """Take a person's codes away; what they decide is unverified from here on.

    Raises:
        BadInput: when the owner may not, or the person has none.
    """
    email, by = email.strip().lower(), by.strip().lower()
    with system_session() as session:
        change = _checked(email, by=by, session=session)
        if not reviewer_codes.revoke_enrolment(change.user_id, by=by, session=session):
            raise BadInput("EMAIL", email, "somebody who has one-time codes")
        _note(change, "revoked", "revoked", session=session)


def rekey() -> int:
    """Encrypt every secret with the key that encrypts now, so that older keys can be given up; return how many.

    Raises:
        StackError: when the key of one of them is lost; then none is changed.
    """
    with system_session() as session:
        enrolments = reviewer_codes.all_enrolments(session=session)
        for enrolment in enrolments:
            reviewer_codes.exchange_seal(enrolment.id, reseal(enrolment.sealed_secret), session=session)
    return len(enrolments)


def _step_of_first(offer: Offer, code: str) -> int:
    digits = typed_code(code)
    step = step_of(offer.secret, digits, now=utc_now()) if digits else None
    if step is None:
        raise IdentityRefused(offer.email, "this is not the code of the moment; is the clock of the device right?")
    return step


def _change(offer: Offer, *, session: Session) -> _Change:
    change = _checked(offer.email, by=offer.by, session=session)
    if not offer.replace and reviewer_codes.enrolment_of(change.user_id, session=session):
        raise BadInput("EMAIL", offer.email, "somebody without one-time codes; --replace gives new ones for those")
    return change


def _checked(email: str, *, by: str, session: Session) -> _Change:
    person = organizations.find_member(email, session=session)
    owner = organizations.find_member(by, session=session)
    theirs = organizations.memberships_of(person.id, session=session) if person else ()
    owners = organizations.memberships_of(owner.id, session=session) if owner else ()
    belongs_to = {org_id for org_id, _ in theirs}
    if person is None or not belongs_to & {org_id for org_id, role in owners if role == _MAY_ENROL}:
        raise BadInput("--as", by, f"an owner of an organisation that {email} belongs to")
    # In one order: two changes of people who share organisations must not wait for each other's chains.
    return _Change(person.id, email, by, sorted(belongs_to), frozenset(org_id for org_id, _ in owners))


def _note(change: _Change, event: str, what: str, *, session: Session) -> None:
    for org_id in change.organisations:
        # Another organisation learns that it happened, not who is who elsewhere.
        by = change.by if org_id in change.known_in else _ANOTHER_OWNER
        happened = AuditEvent(
            event=f"reviewer.{event}",
            actor=by,
            run_id=None,
            was_automatic=False,
            summary=f"one-time codes of {change.email} {what} by {by} (identity unverified)",
        )
        audit.append_audit(happened, org_id=org_id, session=session)
