"""Waking runs after their approvals were decided: one at once, many at a pace that the stack can take."""

import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from console.prefect_api import require_server, resume
from maos.approvals import Approval
from maos.errors import StackError
from maos.statuses import ApprovalStatus
from sql.approvals import find_approval
from sql.session import system_session
from tasks.flow_runs import flow_runs_of, wake
from tasks.ledger import find_run
from tasks.reconciliation import reconcile_run

# Prefect's server needs 15 to 25 ms of a processor for each: more at once would only wait in its queue, and with
# them every heartbeat and state of the runs that are under way.
_A_SECOND, _AT_ONCE = 20, 4
_PATIENCE_SECONDS, _TRY_EVERY_SECONDS = 15.0, 0.5


def wake_run_of(approval: Approval, person: str) -> bool:
    """Have a run take up what was decided or voted; return False when it did not wake in time.

    A run that is told of a vote alone is not waited for: its form shows the vote whenever it is shown next.
    """
    if approval.run_id is None:
        return True
    if approval.status is ApprovalStatus.PENDING:
        return not wake_all([approval.run_id], person)
    return resume(approval.run_id, person, picked_up=lambda: _is_consumed(approval.id))


def _is_consumed(approval_id: UUID) -> bool:
    with system_session() as session:
        now = find_approval(approval_id, session=session)
    return now is not None and now.consumed_at is not None


def wake_all(run_ids: Collection[UUID], person: str) -> frozenset[UUID]:
    """Wake runs, so many a second and at once; return those that Prefect has not taken in time.

    How many of them then have a process at the same time, the worker's limit decides.
    """
    asleep = list(dict.fromkeys(run_ids))
    deadline = time.monotonic() + len(asleep) / _A_SECOND + _PATIENCE_SECONDS
    require_server()
    with get_client(sync_client=True) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        while True:
            awake = [each.result() for each in list(_paced(pool, asleep, person, client))]
            asleep = [run_id for run_id, is_awake in zip(asleep, awake, strict=True) if not is_awake]
            if not asleep or time.monotonic() > deadline:
                return frozenset(asleep)
            time.sleep(_TRY_EVERY_SECONDS)


def _paced(
    pool: ThreadPoolExecutor, run_ids: Collection[UUID], person: str, client: SyncPrefectClient
) -> Iterator[Future[bool]]:
    begun = time.monotonic()
    for number, run_id in enumerate(run_ids):
        time.sleep(max(0.0, begun + number / _A_SECOND - time.monotonic()))
        # With the context of the caller: Prefect keeps its settings there.
        yield pool.submit(copy_context().run, _is_awake, run_id, person, client)


def _is_awake(run_id: UUID, person: str, client: SyncPrefectClient) -> bool:
    """Wake one run; one that is under way, or has its end, is awake.

    Should it have looked at the ledger just before, `reconcile-runs` wakes it once it sleeps.
    """
    try:
        if wake(run_id, person, client=client):
            return True
        state = client.read_flow_run(run_id).state
    except ObjectNotFound:
        return True
    except HTTPError:
        return False
    return state is None or not state.is_paused()


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
