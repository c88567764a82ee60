"""An action as somebody reads it who writes a plan."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import ActionSpec, JsonObject
from maos.effects import Effect
from maos.engines import EngineType
from maos.risk import RiskLevel

_MODULES = re.compile(r"\b(?:\w+\.)+(?=\w)")


class ActionView(BaseModel):
    """What a plan's author needs to know of an action."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    engine: str = Field(description="The name that clients read.")
    engine_type: EngineType = Field(description="The name that plans write.")
    risk: RiskLevel
    always_asks: bool
    read_only: bool
    effect: Effect | None
    inputs: dict[str, str] = Field(description="The type of each outcome it needs.")
    open_inputs: bool
    output: str | None = Field(description="The type of its own outcome, where it has one.")
    proposes_steps: bool
    timeout_seconds: float
    free: bool
    at_most_usd: dict[str, Decimal] = Field(description="The most that one try can cost, by model; empty when free.")


class ActionSchemas(BaseModel):
    """What an action takes and gives, as JSON schema."""

    model_config = ConfigDict(frozen=True)

    parameters_schema: JsonObject
    output_schema: JsonObject | None


def view_of(spec: ActionSpec, at_most_usd: Mapping[str, Decimal]) -> ActionView:
    """Return an action as a plan's author reads it.

    Args:
        at_most_usd: the most that one try can cost, by model; empty when it is free.
    """
    return ActionView(
        engine=spec.engine.label,
        engine_type=spec.engine,
        inputs={name: type_name(kind) for name, kind in spec.inputs.items()},
        output=spec.output.__name__ if spec.output else None,
        free=not at_most_usd,
        at_most_usd=dict(at_most_usd),
        **spec.model_dump(
            include={
                "name",
                "title",
                "risk",
                "always_asks",
                "read_only",
                "open_inputs",
                "proposes_steps",
                "timeout_seconds",
            }
        ),
        effect=spec.effect,
    )


def schemas_of(spec: ActionSpec) -> ActionSchemas:
    """Return what an action takes and gives."""
    return ActionSchemas(
        parameters_schema=spec.parameters.model_json_schema(),
        output_schema=spec.output.model_json_schema() if spec.output else None,
    )


# Any: models, unions and plain types alike.
def type_name(kind: Any) -> str:
    """Return the name of a type without the modules it is from."""
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else _MODULES.sub("", str(kind))
