"""The embedded worker starts no more runs than the machine bears, and housekeeping all the same."""

import asyncio
from types import SimpleNamespace
from uuid import UUID, uuid4

import anyio
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from deployments.embedded.prefect_settings import HOUSEKEEPING
from deployments.embedded.worker import PatientWorker, most_runs

_GB = 1024**3


@pytest.mark.parametrize(
    ("configured", "processors", "memory", "runs"),
    [
        (None, 2, 64 * _GB, 16),
        (None, 16, 4 * _GB, 20),
        (None, 1, _GB // 2, 4),
        (3, 16, 64 * _GB, 3),
        (100, 1, _GB, 100),
    ],
)
def test_the_worker_starts_what_the_machine_bears_or_what_is_set(
    configured: int | None, processors: int, memory: int, runs: int
) -> None:
    assert most_runs(configured, processors=processors, memory=memory) == runs


def test_a_full_worker_starts_housekeeping_and_nothing_else() -> None:
    runs = [FlowRun(id=uuid4(), flow_id=uuid4(), tags=[tag]) for tag in ("a", "b", HOUSEKEEPING)]
    worker = PatientWorker(work_pool_name="maos", limit=1)
    begun: list[UUID] = []

    async def submit() -> list[FlowRun]:
        worker._limiter = anyio.CapacityLimiter(1)
        worker._runs_task_group = SimpleNamespace(start_soon=lambda _, run: begun.append(run.id))  # type: ignore[assignment]
        return await worker._submit_scheduled_flow_runs([SimpleNamespace(flow_run=run) for run in runs])  # type: ignore[misc]

    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        started = asyncio.run(submit())

    assert begun == [runs[2].id, runs[0].id]
    assert [run.id for run in started] == begun
    assert worker.limiter.borrowed_tokens == 1
