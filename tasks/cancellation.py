"""Cancelling a run: its ledger first, in one transaction; then its process."""

from maos.errors import BadInput
from maos.runs import Run
from maos.statuses import RunStatus
from sql.session import org_session
from tasks.flow_runs import request_cancellation
from tasks.people import check_operator
from tasks.runs import end_run


def cancel_run(run: Run, person: str, note: str | None) -> None:
    """End a run: nothing further starts, gates close, reservations are settled, and its process is ended.

    Raises:
        BadInput: when the person may not, or the run has its end.
    """
    with org_session(run.org_id) as session:
        check_operator(person, org_id=run.org_id, initiator=run.initiator, session=session)
    if run.status.ended:
        raise BadInput("run", str(run.id), f"a run without an end; this one is {run.status.value}")
    end_run(run, RunStatus.CANCELLED, f"cancelled by {person}{f': {note}' if note else ''}", actor=person)
    request_cancellation(run.id)
