"""What `run_workflow` may be asked: the form of the Prefect UI and of `maos run`."""

from pydantic import Field

from maos.actions import JsonObject
from maos.requests import RunRequest
from maos.workflows import WorkflowName


class RunWorkflowRequest(RunRequest):
    """Ask for a registered workflow."""

    workflow: WorkflowName = Field(title="Workflow", description="Its name, as `maos workflows list` shows it.")
    version: int | None = Field(default=None, title="Version", description="Empty: the newest.", ge=1)
    inputs: JsonObject = Field(
        default_factory=dict,
        title="Inputs",
        description="What the workflow takes, as `maos workflows show` says; checked before anything is written.",
    )
