"""Flow runs as Prefect knows them: their states, and waking the ones that wait."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import PrefectHTTPStatusError

# Prefect answers with at most this many flow runs.
_READ_AT_ONCE = 200


def states_of(run_ids: Sequence[UUID]) -> dict[UUID, State[Any]]:
    """Return the state of each flow run that Prefect knows."""
    states: dict[UUID, State[Any]] = {}
    with get_client(sync_client=True) as client:
        for start in range(0, len(run_ids), _READ_AT_ONCE):
            asked = FlowRunFilter(id=FlowRunFilterId(any_=list(run_ids[start : start + _READ_AT_ONCE])))
            found = client.read_flow_runs(flow_run_filter=asked, limit=_READ_AT_ONCE)
            states |= {flow_run.id: flow_run.state for flow_run in found if flow_run.state}
    return states


def wake(run_id: UUID, reviewer: str) -> bool:
    """Resume a suspended run whose decisions are in the ledger; return whether Prefect took it."""
    # A bare marker: the decision itself is in the ledger, and what Prefect is told it renders as a template.
    marker = {"decision": "already recorded", "reviewer": reviewer}
    try:
        with get_client(sync_client=True) as client:
            answer = client.resume_flow_run(run_id, run_input=marker)
    except PrefectHTTPStatusError:
        # The state is set before the form's schema: for a moment the input is refused. Tried again either way.
        return False
    return answer.status == SetStateStatus.ACCEPT
