"""Inputs of a workflow as people give them at the command line: words, and paths relative to where they stand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console.organisations import known_org_id
from maos.actions import JsonObject
from maos.errors import BadInput
from maos.json_schemas import with_texts
from maos.requests import RunRequest
from maos.workflow_request import RunWorkflowRequest
from maos.workflows import SOURCES, WorkflowDefinition
from tasks.workflows import usable_workflow

# What begins the name of a field that is one input: --param inputs.question=...
INPUT = "inputs."


def with_inputs(request: RunRequest, single: Mapping[str, str], *, folder: Path) -> RunRequest:
    """Return the request with single inputs in it, which count more, and every path absolute.

    Args:
        single: inputs given one by one, by `inputs.` and their names; their paths are relative to where the user is.
        folder: what other paths are relative to.

    Raises:
        BadInput: when the request takes no inputs, or there is no such workflow.
    """
    if not isinstance(request, RunWorkflowRequest):
        for name, value in single.items():
            raise BadInput(name, value, f"one of the fields {', '.join(type(request).model_fields)}")
        return request
    definition = definition_of(request)
    parts = definition.inputs.get("properties", {})
    given = {name.removeprefix(INPUT): text for name, text in single.items()}
    typed = {name: _typed(name, text, parts.get(name, {})) for name, text in given.items()}
    inputs = _absolute(definition, request.inputs, folder) | _absolute(definition, typed, Path.cwd())
    return request.model_copy(update={"inputs": inputs})


def definition_of(request: RunWorkflowRequest) -> WorkflowDefinition:
    """Return the workflow that a request asks for.

    Raises:
        BadInput: when there is none that may run.
    """
    return usable_workflow(known_org_id(request.org), request.workflow, request.version)[1]


# Any: as the workflow's schema has it, which is checked later.
def _typed(name: str, text: str, schema: JsonObject) -> Any:
    if schema.get("type", "string") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise BadInput(f"{INPUT}{name}", text, f"JSON of type {schema['type']}") from None


def _absolute(definition: WorkflowDefinition, inputs: JsonObject, folder: Path) -> JsonObject:
    found: JsonObject = with_texts(definition.inputs, inputs, SOURCES, lambda path: str(folder / path))
    return found
