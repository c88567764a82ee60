"""A workflow's own form: the form of `run_workflow` with what is settled filled in and its inputs as fields."""

from copy import deepcopy
from typing import Any

from maos.actions import JsonObject
from maos.json_schemas import closed
from maos.workflows import WorkflowDefinition

REQUEST = "RunWorkflowRequest"


def form_schema(general: JsonObject, definition: WorkflowDefinition, *, org: str) -> JsonObject:
    """Return the schema of the parameters of a workflow's own deployment.

    Args:
        general: that of the deployment of `run_workflow`.
    """
    schema = deepcopy(general)
    request: dict[str, Any] = schema["definitions"][REQUEST]
    fields = request["properties"]
    needed = set(definition.inputs.get("required", [])) - _with_default(definition.inputs)
    inputs = {**closed(definition.inputs), "title": "Inputs", "required": sorted(needed)}
    fields["inputs"] = {**inputs, "position": fields["inputs"].get("position", 0)}
    # What the form is for cannot be anything else.
    for name, value in {"org": org, "workflow": definition.name}.items():
        fields[name] |= {"default": value, "enum": [value]}
    if needed and "inputs" not in request["required"]:
        request["required"] = [*request["required"], "inputs"]
    return schema


def prefilled(definition: WorkflowDefinition, *, org: str) -> JsonObject:
    """Return what a workflow's own deployment is started with where its form leaves it as it is."""
    parts = definition.inputs.get("properties", {})
    inputs = {name: part["default"] for name, part in parts.items() if "default" in part}
    return {"request": {"org": org, "workflow": definition.name, "title": definition.title, "inputs": inputs}}


def _with_default(schema: JsonObject) -> set[str]:
    return {name for name, part in schema.get("properties", {}).items() if "default" in part}
