"""The entrypoint `generate_content`: a text from given facts, published once a person has released it."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.content_request import GenerateContentRequest
from maos.runs import RunResult


@flow(name="generate-content", **ENTRYPOINT_OPTIONS)
def generate_content(request: GenerateContentRequest) -> RunResult | State[Any]:
    """Outline, write, trace every claim to a given fact, revise what is flagged, ask, and publish."""
    return conduct("generate_content", request)
