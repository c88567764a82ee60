"""Holding a run before its next step, and letting it go on."""

from maos.audit import AuditEvent
from maos.errors import BadInput, OrganizationSuspended
from maos.runs import Run
from sql import audit, organizations, runs
from sql.session import org_session
from tasks.people import check_operator


def hold_run(run: Run, person: str) -> bool:
    """Have the run stop before its next step; return False when it has its end or is held already.

    Raises:
        BadInput: when the person may not.
    """
    return _set(run, person, held_by=person, event="run.held", summary=f"held by {person} before its next step")


def release_run(run: Run, person: str) -> bool:
    """Let a held run go on; return False when it is not held.

    Raises:
        BadInput: when the person may not, or the run's organisation is suspended.
    """
    return _set(run, person, held_by=None, event="run.released", summary=f"released by {person}")


def check_may_begin(step_id: str, *, active: bool) -> None:
    """Refuse to begin a step of an organisation that was suspended after the executor had looked.

    Args:
        active: whether anything may start for it now.

    Raises:
        OrganizationSuspended: before anything is written.
    """
    if not active:
        raise OrganizationSuspended(step_id)


def _set(run: Run, person: str, *, held_by: str | None, event: str, summary: str) -> bool:
    with org_session(run.org_id) as session:
        check_operator(person, org_id=run.org_id, initiator=run.initiator, session=session)
        if held_by is None and not organizations.is_active(run.org_id, session=session):
            raise BadInput("run", str(run.id), f"a run of an active organisation; {run.org} is suspended")
        changed = runs.set_hold(run.id, held_by, session=session)
        if changed:
            entry = AuditEvent(event=event, actor=person, run_id=run.id, was_automatic=False, summary=summary)
            audit.append_audit(entry, org_id=run.org_id, session=session)
    return changed
