"""Flow runs as Prefect knows them: their states, and waking the ones that wait."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelled, Cancelling, Completed, Failed, Scheduled

from maos.reconciliation import RECOVERY_STATE
from maos.statuses import RunStatus
from tasks.entrypoints import ENTRYPOINTS

# Prefect answers with at most this many flow runs.
_READ_AT_ONCE = 200
_PAUSE_SECONDS = 1.0
_WITHOUT_END = (StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)
_ENDS: Mapping[RunStatus, Callable[..., State[Any]]] = {
    RunStatus.COMPLETED: Completed,
    RunStatus.FAILED: Failed,
    RunStatus.CANCELLED: Cancelled,
}


def flow_runs_of(run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    """Return the flow run of each run that Prefect knows."""
    found: dict[UUID, FlowRun] = {}
    with get_client(sync_client=True) as client:
        for start in range(0, len(run_ids), _READ_AT_ONCE):
            asked = FlowRunFilter(id=FlowRunFilterId(any_=list(run_ids[start : start + _READ_AT_ONCE])))
            read = client.read_flow_runs(flow_run_filter=asked, limit=_READ_AT_ONCE)
            found |= {flow_run.id: flow_run for flow_run in read}
    return found


def schedule_again(run_id: UUID) -> None:
    """Have a worker start the flow run once more, whatever state it is in.

    A moment from now: the process that ends, or its worker, may still be about to report on it.
    """
    later = datetime.now(UTC) + timedelta(seconds=_PAUSE_SECONDS)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Scheduled(scheduled_time=later, name=RECOVERY_STATE), force=True)


def set_end(run_id: UUID, status: RunStatus, message: str | None) -> None:
    """Give a flow run the end that the ledger knows."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, _ENDS[status](message=message), force=True)


def request_cancellation(run_id: UUID) -> None:
    """Have the flow run's process ended by its worker; one without a process is cancelled at once."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
        if state is None or state.is_final():
            return
        under_way = state.is_running() or state.is_pending()
        client.set_flow_run_state(run_id, Cancelling() if under_way else Cancelled(), force=True)


def flow_runs_without_end(*, older_than: timedelta) -> list[FlowRun]:
    """Return the flow runs that Prefect takes for running or waiting, for longer than that, newest first."""
    asked = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(_WITHOUT_END))),
        tags=FlowRunFilterTags(any_=[f"entrypoint:{name}" for name in ENTRYPOINTS]),
    )
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=asked, limit=_READ_AT_ONCE)
    latest = datetime.now(UTC) - older_than
    return [each for each in found if each.state and each.state.timestamp <= latest]


def wake(run_id: UUID, reviewer: str, *, client: SyncPrefectClient | None = None) -> bool:
    """Resume a suspended run whose decisions are in the ledger; return whether Prefect took it.

    Args:
        client: an open one, where many runs are woken.
    """
    # A bare marker: the decision itself is in the ledger, and what Prefect is told it renders as a template.
    marker = {"decision": "already recorded", "reviewer": reviewer}
    try:
        with nullcontext(client) if client else get_client(sync_client=True) as asked:
            answer = asked.resume_flow_run(run_id, run_input=marker)
    except PrefectHTTPStatusError:
        # The state is set before the form's schema: for a moment the input is refused. Tried again either way.
        return False
    return answer.status == SetStateStatus.ACCEPT
