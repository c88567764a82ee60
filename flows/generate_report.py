"""The entrypoint `generate_report`: a report over one data set, published after approval."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.requests import GenerateReportRequest
from maos.runs import RunResult


@flow(name="generate-report", **ENTRYPOINT_OPTIONS)
def generate_report(request: GenerateReportRequest) -> RunResult | State[Any]:
    """Profile and aggregate a data set, chart it, put it into words, and publish it once a person approves."""
    return conduct("generate_report", request)
