"""The entrypoint `create_image`: pictures of one description, published after approval."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.image_request import CreateImageRequest
from maos.runs import RunResult


@flow(name="create-image", **ENTRYPOINT_OPTIONS)
def create_image(request: CreateImageRequest) -> RunResult | State[Any]:
    """Have pictures made side by side, show them on a contact sheet, and publish them once a person approves."""
    return conduct("create_image", request)
