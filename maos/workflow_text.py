"""Reading the document of a workflow: YAML or JSON; every fault is named at once."""

import json

from pydantic import ValidationError

from maos.errors import WorkflowRefused
from maos.rules_yaml import read_block
from maos.workflows import WorkflowDefinition

MAX_DOCUMENT_BYTES = 64_000
# Schemas are deep: each level of an object is two of the document.
_DEEPEST = 24


def parse_workflow(text: str) -> WorkflowDefinition:
    """Read a document; JSON is YAML as well.

    Raises:
        WorkflowRefused: with every fault, not the first.
    """
    if (size := len(text.encode(errors="replace"))) > MAX_DOCUMENT_BYTES:
        faults = [f"the document has {size:,} bytes of UTF-8; at most {MAX_DOCUMENT_BYTES:,} are allowed"]
        raise WorkflowRefused(faults)
    read = read_block(text, deepest=_DEEPEST)
    if read.faults:
        raise WorkflowRefused([f"line {fault.line + 1}: {fault.reason}" for fault in read.faults])
    try:
        # As JSON: its strict mode takes a list for a tuple, and a word for nothing but a word.
        return WorkflowDefinition.model_validate_json(json.dumps(read.data if read.data is not None else {}))
    except ValidationError as error:
        raise WorkflowRefused(_faults_of(error)) from None


def _faults_of(error: ValidationError) -> list[str]:
    faults = []
    for fault in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part + 1) if isinstance(part, int) else part for part in fault["loc"])
        words = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            words = f"this key is not accepted; allowed: {', '.join(WorkflowDefinition.model_fields)}"
        faults += [f"{place}: {line}" if place else line for line in words.split("\n")]
    return faults
