"""Runs that sleep at a gate, as Prefect and the ledger know them, without the process that went to sleep."""

import json
from contextlib import nullcontext
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.input.run_input import keyset_from_paused_state
from prefect.states import Paused, Running

from flows.forms import ApprovalForm
from tests.plans import bench_flow
from tests.rows import add_run

_REQUEST = {"org": "demo", "initiator": "author@demo.example", "title": "Sleeping"}


def sleeping_run(org_id: UUID, *, client: SyncPrefectClient | None = None) -> UUID:
    """Add a run that waits at its gate; return its id."""
    with nullcontext(client) if client else get_client(sync_client=True) as asked:
        flow_run = asked.create_flow_run(bench_flow, parameters={"request": _REQUEST}, state=Running())
        fall_asleep(flow_run.id, client=asked)
    return add_run(org_id, id=flow_run.id, status="paused")


def fall_asleep(run_id: UUID, *, client: SyncPrefectClient, gate: int = 1) -> None:
    """Have a run wait at a gate, with the form that it shows, as Prefect's own suspension does it."""
    state = Paused(timeout_seconds=3600, pause_key=f"gate-{gate}")
    keyset = keyset_from_paused_state(state)
    state.state_details.run_input_keyset = keyset
    client.set_flow_run_state(run_id, state, force=True)
    client.create_flow_run_input(run_id, keyset["schema"], json.dumps(ApprovalForm.model_json_schema(by_alias=True)))


def is_asleep(run_id: UUID) -> bool:
    """Say whether Prefect knows of nobody who woke it."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    return state is not None and state.is_paused()
