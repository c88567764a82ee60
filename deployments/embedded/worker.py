"""The worker as one process: it starts a process for each run, and none outlives it."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from prefect.workers.process import ProcessWorker

from deployments.embedded.backoff import Backoff
from deployments.embedded.prefect_api import api_client
from deployments.embedded.prefect_settings import HOUSEKEEPING, WORK_POOL
from deployments.embedded.worker_name import worker_name
from maos.reconciliation import RECOVERY_STATE
from maos.settings import Settings, load_settings
from tasks.logs import guard

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import WorkerFlowRunResponse

# A run that is told to end records that it crashed; the worker stays for its report.
_RUN_END_SECONDS = 10.0
_RUN_VARIABLE = "PREFECT__FLOW_RUN_ID"
# A run mostly waits for its engines: a processor bears several. Each holds about 100 MB.
_RUNS_A_PROCESSOR, _RUN_BYTES, _FEWEST_RUNS = 8, 100 * 1024**2, 4
_logger = logging.getLogger("prefect.workers.maos")


class PatientWorker(ProcessWorker):
    """Prefect's process worker; it outlasts a server that is away, and leaves in order."""

    leaving = False

    @classmethod
    def __dispatch_key__(cls) -> str:
        """Register beside Prefect's own class, not in its place."""
        return "maos-process"

    async def get_and_submit_flow_runs(self) -> "list[FlowRun]":
        """Ask for runs and start them, unless this worker is leaving or the server is away."""
        if self.leaving:
            return []
        try:
            return await super().get_and_submit_flow_runs()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            # Raised, a few of these would end the worker, and with it every run it has started.
            _logger.warning("The Prefect API does not answer: %s", error)
            return []

    async def _submit_scheduled_flow_runs(self, flow_run_response: "list[WorkerFlowRunResponse]") -> "list[FlowRun]":
        """Start runs up to the limit; housekeeping is not counted: when all is full, it is what makes room."""
        house = [entry for entry in flow_run_response if HOUSEKEEPING in entry.flow_run.tags]
        others = [entry for entry in flow_run_response if entry not in house]
        limiter, self._limiter = self._limiter, None
        try:
            started = await super()._submit_scheduled_flow_runs(house)
        finally:
            self._limiter = limiter
        return started + await super()._submit_scheduled_flow_runs(others)

    async def _propose_crashed_state(self, flow_run: "FlowRun", message: str, client: Any = None) -> None:
        """Report a crash, unless a hook that heard of it first has had the run taken up again.

        The runner below this worker has reported it before; a second report would undo what the hooks did.
        """
        state = (await self.client.read_flow_run(flow_run.id)).state
        if state is None or state.name != RECOVERY_STATE:
            await super()._propose_crashed_state(flow_run, message, client)


def most_runs(configured: int | None, *, processors: int, memory: int) -> int:
    """Return how many runs may have a process at the same time; half of the memory is left to all else."""
    if configured:
        return configured
    return max(_FEWEST_RUNS, min(processors * _RUNS_A_PROCESSOR, memory // 2 // _RUN_BYTES))


async def work(limit: int) -> None:
    """Take runs from the work pool until a signal comes, then end those that still run."""
    worker = PatientWorker(work_pool_name=WORK_POOL, name=worker_name(), create_pool_if_not_found=False, limit=limit)
    working, told = asyncio.create_task(worker.start()), asyncio.Event()
    template = asyncio.create_task(_keep_template())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await asyncio.wait({working, asyncio.create_task(told.wait())}, return_when=asyncio.FIRST_COMPLETED)
    worker.leaving = True
    await _end_runs()
    for task in (template, working):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_template() -> None:
    """Keep the process running from which runs are forked, where the system offers what that takes."""
    if sys.platform != "linux":
        return
    backoff = Backoff()
    while True:
        while not backoff.may_start(time.monotonic()):
            await asyncio.sleep(1.0)
        backoff.note_start(time.monotonic())
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "deployments.embedded.template_process")
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()


async def _end_runs() -> None:
    running, deadline = _run_processes(), time.monotonic() + _RUN_END_SECONDS
    for process in running:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    while running and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        running = _run_processes()


def _run_processes() -> list[psutil.Process]:
    """Return the processes that this worker has started for runs."""
    return [process for process in psutil.Process().children() if _carries_run(process)]


def _carries_run(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return process.status() != psutil.STATUS_ZOMBIE and _RUN_VARIABLE in process.environ()
    return False


def wait_for_pool(settings: Settings) -> None:
    """Wait until there is a pool to work for: it is made while this process starts."""
    auth = settings.prefect_api_auth_string
    with api_client(settings.prefect_api_url or "", auth.get_secret_value() if auth else None) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"/work_pools/{WORK_POOL}").status_code == httpx.codes.OK:
                    return
            time.sleep(0.2)


if __name__ == "__main__":
    guard()
    configured = load_settings()
    wait_for_pool(configured)
    bears = most_runs(configured.worker_limit, processors=psutil.cpu_count() or 1, memory=psutil.virtual_memory().total)
    asyncio.run(work(bears))
