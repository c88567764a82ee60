"""References to outcomes: `step`, or a place in its output as `step.field.0.name`."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from maos.actions import JsonObject
from maos.errors import InputMismatch

StepId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Reference = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}(\.[A-Za-z0-9_-]{1,100})*$", max_length=1000)
]


def source_of(reference: str) -> str:
    """Return the step that a reference reads."""
    return reference.partition(".")[0]


def resolve(reference: str, outputs: Mapping[str, JsonObject | None]) -> Any:
    """Return what a reference reads; a step without an output, which its plan lets pass, reads as null.

    Raises:
        InputMismatch: when the output has no such place.
    """
    source, *path = reference.split(".")
    value: Any = outputs[source]
    for part in path if value is not None else ():
        value = _member(value, part, reference)
    return value


def _member(value: Any, part: str, reference: str) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    raise InputMismatch(reference, f"the outcome has no {part!r}")


def missing_member(reference: str, output: type[BaseModel] | None) -> str | None:
    """Return the first part of a reference that the model of its outcome does not have, if that can be said."""
    for part in reference.split(".")[1:]:
        if output is None:
            return None
        field = output.model_fields.get(part)
        if field is None:
            return None if output.model_config.get("extra") == "allow" else part
        kind = field.annotation
        output = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return None
