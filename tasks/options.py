"""Options of tasks: what Prefect keeps of them, and when it tries one again."""

from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from maos.errors import EngineFailure
from maos.plans import PlanStep


def failed_for_now(
    task: Task[Any, Any],  # noqa: ARG001 - the signature is Prefect's
    task_run: TaskRun,  # noqa: ARG001
    state: State[Any],
) -> bool:
    """Say whether another attempt may succeed: only an engine's failure can say so."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, EngineFailure) and failure.retryable


# The ledger, not Prefect's cache, knows what is done: neither cache nor stored results.
LEDGER_OPTIONS: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
ENGINE_OPTIONS: dict[str, Any] = {**LEDGER_OPTIONS, "retry_condition_fn": failed_for_now}


def retry_options(step: PlanStep, *, tried: int) -> dict[str, Any]:
    """Return a step's retry policy as Prefect takes it, for a step that has been tried so often."""
    delays = step.retry.delays(tried=tried)
    if not delays:
        return {"retries": 0}
    return {"retries": len(delays), "retry_delay_seconds": delays, "retry_jitter_factor": step.retry.jitter}
