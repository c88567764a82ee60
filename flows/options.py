"""Options that every entrypoint's flow shares."""

from typing import Any

from prefect.task_runners import ThreadPoolTaskRunner

from flows.hooks import close_cancelled, recover_crashed, recover_failed
from maos.plans import MAX_PARALLELISM

# No flow retries: together with a suspension they leave the resumed run behind.
ENTRYPOINT_OPTIONS: dict[str, Any] = {
    "flow_run_name": "{request.org}: {request.title}",
    "task_runner": ThreadPoolTaskRunner(max_workers=MAX_PARALLELISM),
    "persist_result": False,
    "on_cancellation": [close_cancelled],
    "on_crashed": [recover_crashed],
    "on_failure": [recover_failed],
}
