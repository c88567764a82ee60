"""What the command line asks of the Prefect API."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound

from maos.errors import BadInput, StackError
from maos.requests import RunRequest
from maos.settings import load_settings
from tasks.flow_runs import wake

_RESUME_WITHIN_SECONDS = 30.0
_TRY_EVERY_SECONDS = 0.25


def require_server() -> None:
    """Refuse to go on without a Prefect server, which Prefect would otherwise start for itself.

    Raises:
        BadInput: when no address is configured.
    """
    if not load_settings().prefect_api_url:
        raise BadInput("PREFECT_API_URL", "", "the address of a Prefect API; or start the embedded stack: maos up")


def _client() -> SyncPrefectClient:
    require_server()
    return get_client(sync_client=True)


def start_run(deployment: str, request: RunRequest) -> UUID:
    """Create a flow run of the deployment; return its id, which is the run's.

    Raises:
        StackError: when the server does not take it.
    """
    parameters: dict[str, Any] = {"request": request.model_dump(mode="json")}
    try:
        with _client() as client:
            found = client.read_deployment_by_name(deployment)
            flow_run = client.create_flow_run_from_deployment(
                found.id, parameters=parameters, tags=[*found.tags, f"org:{request.org}"]
            )
    except ObjectNotFound:
        raise StackError("Prefect server", f"it has no deployment {deployment!r}; run: maos up") from None
    except HTTPError as error:
        raise StackError("Prefect server", f"it did not take the run: {error}") from error
    return flow_run.id


def state_of(run_id: UUID) -> State[Any] | None:
    """Return the state of a run's flow run as Prefect tells it."""
    try:
        with _client() as client:
            return client.read_flow_run(run_id).state
    except ObjectNotFound:
        return None
    except HTTPError as error:
        raise StackError("Prefect server", f"it does not answer: {error}") from error


def resume(run_id: UUID, person: str, *, picked_up: Callable[[], bool]) -> bool:
    """Wake a run that was decided on in the ledger; return False when it did not wake in time.

    A run that has not suspended yet is waited for: it may have looked at the ledger just before.

    Args:
        picked_up: says whether the run has gone on by itself.
    """
    deadline = time.monotonic() + _RESUME_WITHIN_SECONDS
    while time.monotonic() < deadline:
        state = state_of(run_id)
        if state is None or state.is_final() or picked_up():
            return True
        if state.is_paused() and wake(run_id, person):
            return True
        time.sleep(_TRY_EVERY_SECONDS)
    return False
