"""Options of the engine tasks: how often each is retried, and for which failures."""

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from maos.errors import EngineFailure


def failed_for_now(
    task: Task[Any, Any],  # noqa: ARG001 - the signature is Prefect's
    task_run: TaskRun,  # noqa: ARG001
    state: State[Any],
) -> bool:
    """Say whether another attempt may succeed: only an engine's failure can say so."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, EngineFailure) and failure.retryable


# The ledger, not Prefect's cache, knows what is done: neither cache nor stored results.
_LEDGER_KNOWS: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}

CLAUDE_OPTIONS: dict[str, Any] = {
    **_LEDGER_KNOWS,
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": failed_for_now,
}
SERVICE_OPTIONS: dict[str, Any] = {
    **_LEDGER_KNOWS,
    "retries": 2,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": failed_for_now,
}
LEDGER_OPTIONS: dict[str, Any] = _LEDGER_KNOWS
