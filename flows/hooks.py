"""What becomes of a run when its flow run ends without the executor's doing."""

from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

from maos.errors import BadInput, PolicyViolation, StackError
from maos.reconciliation import CANCELLED_IN_PREFECT
from maos.statuses import RunStatus
from tasks.ledger import find_run
from tasks.recovery import recover
from tasks.runs import end_run

# Prefect calls hooks in a worker by keyword: the three names are fixed.


def close_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Close a run that an operator cancelled."""
    run = find_run(flow_run.id)
    if run and not run.status.ended:
        end_run(run, RunStatus.CANCELLED, CANCELLED_IN_PREFECT)


def recover_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Have a run whose process died taken up again from its ledger."""
    _recover(flow_run, state, "the process of the run died")


def recover_failed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Have a run that an unforeseen error ended taken up again; a request that was refused stays refused."""
    _recover(flow_run, state, "an unforeseen error ended the run")


def _recover(flow_run: FlowRun, state: State[Any], reason: str) -> None:
    # Without data nobody raised anything: the process was ended from outside.
    error = state.result(raise_on_failure=False) if state.data is not None else None
    if isinstance(error, BadInput | PolicyViolation):
        return
    if error is not None and not isinstance(error, StackError) and find_run(flow_run.id) is None:
        # Never opened, because it cannot be: it would fail in the same way again.
        return
    recover(flow_run, reason)
