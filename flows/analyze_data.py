"""The entrypoint `analyze_data`: a question about tables, answered by a checked query."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.requests import AnalyzeDataRequest
from maos.runs import RunResult


@flow(name="analyze-data", **ENTRYPOINT_OPTIONS)
def analyze_data(request: AnalyzeDataRequest) -> RunResult | State[Any]:
    """Profile the tables, have a query written and checked, run it, cross-check it, and put its result into words."""
    return conduct("analyze_data", request)
