"""The entrypoint `run_workflow`: an agent works as a registered workflow says, and its output is validated."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.runs import RunResult
from maos.workflow_request import RunWorkflowRequest


@flow(name="run-workflow", **ENTRYPOINT_OPTIONS)
def run_workflow(request: RunWorkflowRequest) -> RunResult | State[Any]:
    """Read what the inputs name, have an agent work on it within its limits, and deliver what fits the schema."""
    return conduct("run_workflow", request)
