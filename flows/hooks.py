"""What becomes of a run when its flow run ends without the executor's doing."""

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from maos.errors import BadInput, PolicyViolation
from maos.statuses import RunStatus
from tasks.ledger import find_run
from tasks.recovery import recover
from tasks.runs import end_run

# Prefect calls hooks in a worker by keyword: the three names are fixed.


def close_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Close a run that an operator cancelled."""
    run = find_run(flow_run.id)
    if run and not run.status.ended:
        end_run(run, RunStatus.CANCELLED, "an operator cancelled the run")


def recover_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Have a run whose process died taken up again from its ledger."""
    recover(flow_run, "the process of the run died")


def recover_failed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Have a run that an unforeseen error ended taken up again; a request that was refused stays refused."""
    if isinstance(state.result(raise_on_failure=False), BadInput | PolicyViolation):
        return
    recover(flow_run, "an unforeseen error ended the run")
