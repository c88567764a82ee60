"""Options that every entrypoint's flow shares."""

from typing import Any

from prefect.task_runners import ThreadPoolTaskRunner

from flows.hooks import close_cancelled, close_crashed, close_failed

# How many steps of one run are under way at once.
_PARALLEL_STEPS = 8

# No flow retries: together with a suspension they leave the resumed run behind.
ENTRYPOINT_OPTIONS: dict[str, Any] = {
    "flow_run_name": "{request.org}: {request.title}",
    "task_runner": ThreadPoolTaskRunner(max_workers=_PARALLEL_STEPS),
    "persist_result": False,
    "on_cancellation": [close_cancelled],
    "on_crashed": [close_crashed],
    "on_failure": [close_failed],
}
