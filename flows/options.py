"""Options that every entrypoint's flow shares."""

from typing import Any

from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows.hooks import close_cancelled, recover_crashed, recover_failed
from maos.plans import MAX_PARALLELISM
from tasks.secrecy import for_clients


def run_name() -> str:
    """Return what the flow run is called, which clients may read: whose it is, and its title."""
    request = flow_run.get_parameters()["request"]
    return f"{request.org}: {for_clients(request.title)}"


# No flow retries: together with a suspension they leave the resumed run behind.
ENTRYPOINT_OPTIONS: dict[str, Any] = {
    "flow_run_name": run_name,
    "task_runner": ThreadPoolTaskRunner(max_workers=MAX_PARALLELISM),
    "persist_result": False,
    "on_cancellation": [close_cancelled],
    "on_crashed": [recover_crashed],
    "on_failure": [recover_failed],
}
