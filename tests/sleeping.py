"""Runs that sleep at a gate, as Prefect and the ledger know them, without the process that went to sleep."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.input.run_input import keyset_from_paused_state
from prefect.states import Paused, Running

from flows.forms import ApprovalForm
from tests.plans import bench_flow
from tests.rows import add_run

_REQUEST = {"org": "demo", "initiator": "author@demo.example", "title": "Sleeping"}


def sleeping_run(org_id: UUID) -> UUID:
    """Add a run that waits at its gate; return its id."""
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(bench_flow, parameters={"request": _REQUEST}, state=Running())
    fall_asleep(flow_run.id)
    return add_run(org_id, id=flow_run.id, status="paused")


def fall_asleep(run_id: UUID, *, gate: int = 1) -> None:
    """Have a run wait at a gate, with the form that it shows."""
    state = Paused(timeout_seconds=3600, pause_key=f"gate-{gate}")
    keyset = keyset_from_paused_state(state)
    state.state_details.run_input_keyset = keyset
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, state, force=True)
    ApprovalForm.save(keyset, flow_run_id=run_id)


def is_asleep(run_id: UUID) -> bool:
    """Say whether Prefect knows of nobody who woke it."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    return state is not None and state.is_paused()
