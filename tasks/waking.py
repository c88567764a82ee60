"""Waking many runs at a pace that the stack can take."""

import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from blocks.prefect_api import prefect_faults
from maos.errors import StackError
from tasks.flow_runs import wake

# Prefect's server needs 15 to 25 ms of a processor for each: more at once would only wait in its queue, and with
# them every heartbeat and state of the runs that are under way.
_A_SECOND, _AT_ONCE = 20, 4
_PATIENCE_SECONDS, _TRY_EVERY_SECONDS = 15.0, 0.5


def wake_all(run_ids: Collection[UUID], person: str) -> frozenset[UUID]:
    """Wake runs, so many a second and at once; return those that Prefect has not taken in time.

    How many of them then have a process at the same time, the worker's limit decides.
    """
    asleep = list(dict.fromkeys(run_ids))
    deadline = time.monotonic() + len(asleep) / _A_SECOND + _PATIENCE_SECONDS
    with get_client(sync_client=True) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        while asleep:
            awake = [each.result() for each in list(_paced(pool, asleep, person, client))]
            asleep = [run_id for run_id, is_awake in zip(asleep, awake, strict=True) if not is_awake]
            if time.monotonic() > deadline:
                break
            if asleep:
                time.sleep(_TRY_EVERY_SECONDS)
    return frozenset(asleep)


def _paced(
    pool: ThreadPoolExecutor, run_ids: Collection[UUID], person: str, client: SyncPrefectClient
) -> Iterator[Future[bool]]:
    begun = time.monotonic()
    for number, run_id in enumerate(run_ids):
        time.sleep(max(0.0, begun + number / _A_SECOND - time.monotonic()))
        # With the context of the caller: Prefect keeps its settings there.
        yield pool.submit(copy_context().run, _is_awake, run_id, person, client)


def _is_awake(run_id: UUID, person: str, client: SyncPrefectClient) -> bool:
    """Wake one run; one that is under way, or has its end, is awake."""
    try:
        with prefect_faults():
            if wake(run_id, person, client=client):
                return True
            state = client.read_flow_run(run_id).state
    except ObjectNotFound:
        return True
    except StackError:
        return False
    return state is None or not state.is_paused()
