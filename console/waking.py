"""Waking runs after their approvals were decided, or are no longer needed, by what somebody did on the command line."""

from collections.abc import Collection
from uuid import UUID

from httpx import HTTPError

from console.prefect_api import require_server, resume
from maos.approvals import Approval
from maos.errors import BadInput, StackError
from maos.statuses import ApprovalStatus
from sql.approvals import find_approval
from sql.session import system_session
from tasks.flow_runs import flow_runs_of
from tasks.ledger import find_run
from tasks.reconciliation import reconcile_run
from tasks.waking import wake_all


def wake_run_of(approval: Approval, person: str) -> bool:
    """Have a run take up what was decided or voted; return False when it did not wake in time.

    A run that is told of a vote alone is not waited for: its form shows the vote whenever it is shown next.
    """
    if approval.run_id is None:
        return True
    if approval.status is ApprovalStatus.PENDING:
        return not wake_all([approval.run_id], person)
    return resume(approval.run_id, person, picked_up=lambda: _is_consumed(approval.id))


def wake_answered(questions: Collection[Approval], person: str) -> frozenset[UUID]:
    """Have the runs of questions go on that were withdrawn; return those that are left to housekeeping."""
    run_ids = {each.run_id for each in questions if each.run_id}
    try:
        require_server()
    except BadInput:
        # What was changed stands in the ledger, whoever can be told.
        return frozenset(run_ids)
    return wake_all(run_ids, person)


def _is_consumed(approval_id: UUID) -> bool:
    with system_session() as session:
        now = find_approval(approval_id, session=session)
    return now is not None and now.consumed_at is not None


def mend_runs(run_ids: Collection[UUID]) -> None:
    """Let the ledger know which of these runs were ended in Prefect while they slept, before somebody decides.

    Raises:
        StackError: when the server does not answer.
    """
    require_server()
    try:
        flow_runs = flow_runs_of(list(run_ids))
    except HTTPError as error:
        raise StackError("Prefect server", f"it does not answer: {error}") from error
    for run_id in run_ids:
        state = flow_runs[run_id].state if run_id in flow_runs else None
        run = find_run(run_id) if state is None or state.is_final() else None
        if run and not run.status.ended:
            reconcile_run(run)
