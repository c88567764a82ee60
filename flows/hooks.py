"""What a run's ledger learns when its flow run ends without the executor's doing."""

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from maos.statuses import RunStatus
from tasks.ledger import find_run
from tasks.runs import end_run

# Prefect calls hooks in a worker by keyword: the three names are fixed.


def close_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Close a run that an operator cancelled."""
    _close(flow_run, RunStatus.CANCELLED, "an operator cancelled the run")


def close_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Close a run whose process died; a retry takes it up from its ledger."""
    _close(flow_run, RunStatus.FAILED, "the process of the run died; retry it to go on from what is finished")


def close_failed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Close a run that an unforeseen error ended."""
    _close(flow_run, RunStatus.FAILED, "an unforeseen error ended the run; its Prefect log tells more")


def _close(flow_run: FlowRun, status: RunStatus, reason: str) -> None:
    run = find_run(flow_run.id)
    if run and not run.status.ended:
        end_run(run, status, reason)
