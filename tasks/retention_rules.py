"""Who says how long audit rows are kept, and holds; each change is told in the organisation's own chain."""

from uuid import UUID

from sqlmodel import Session

from maos.audit import act_of
from maos.errors import BadInput
from maos.roles import Permission
from sql import audit, retention
from sql.retention_tables import LegalHold
from sql.session import org_session
from tasks.people import check_permission
from tasks.secrecy import for_clients

_LONGEST_REASON = 2000
_LONGEST_MONTHS = 1200


def set_retention(org_id: UUID, months: int | None, *, person: str, reason: str) -> int:
    """Keep an organisation's audit rows for so many months from now on; return the version.

    Args:
        months: empty: for ever.

    Raises:
        BadInput: when the person may not, the number is none, or there is no reason.
    """
    if months is not None and not 1 <= months <= _LONGEST_MONTHS:
        raise BadInput("--months", str(months), f"1 to {_LONGEST_MONTHS}, or forever")
    why = _reason(reason)
    with org_session(org_id) as session:
        check_permission(person, Permission.SET_RETENTION, org_id=org_id, session=session)
        version = retention.add_retention(org_id, months, person=person, reason=why, session=session)
        kept = "for ever" if months is None else f"for {months} months"
        _tell("retention.set", person, f"audit rows are kept {kept}: {why}", org_id=org_id, session=session)
    return version


def place_hold(org_id: UUID, *, person: str, reason: str) -> LegalHold:
    """Let nothing of an organisation be removed until the hold is released.

    Raises:
        BadInput: when the person may not, or gives no reason.
    """
    why = _reason(reason)
    with org_session(org_id) as session:
        check_permission(person, Permission.SET_RETENTION, org_id=org_id, session=session)
        hold = retention.add_hold(org_id, person=person, reason=why, session=session)
        _tell("hold.placed", person, f"legal hold {hold.id}: {why}", org_id=org_id, session=session)
    return hold


def release_hold(org_id: UUID, hold_id: UUID, *, person: str, reason: str) -> None:
    """Release a hold.

    Raises:
        BadInput: when the person may not, gives no reason, or there is no such open hold.
    """
    why = _reason(reason)
    with org_session(org_id) as session:
        check_permission(person, Permission.SET_RETENTION, org_id=org_id, session=session)
        if not retention.release_hold(hold_id, person=person, reason=why, session=session):
            raise BadInput("hold", str(hold_id), "an open hold of the organisation; `maos retention show` lists them")
        _tell("hold.released", person, f"legal hold {hold_id}: {why}", org_id=org_id, session=session)


def _reason(text: str) -> str:
    if not 0 < len(text.strip()) <= _LONGEST_REASON:
        raise BadInput("--reason", text[:200], f"1 to {_LONGEST_REASON} characters; kept with what is decided")
    return for_clients(text.strip(), limit=None)


def _tell(event: str, person: str, summary: str, *, org_id: UUID, session: Session) -> None:
    audit.append_audit(act_of(person, event, summary), org_id=org_id, session=session)
