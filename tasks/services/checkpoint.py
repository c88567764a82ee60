"""Asks a person: a step that is nothing but their decision."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import StepOutcome
from maos.fences import fenced
from maos.rendering import TemplateText
from maos.risk import RiskLevel
from tasks.services.registry import ServiceCall, internal_service


class CheckpointParameters(BaseModel):
    """What a person is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Annotated[TemplateText, Field(min_length=1, max_length=20_000)] = Field(description="What to decide.")


class Checkpoint(BaseModel):
    """A question that a person said yes to."""

    model_config = ConfigDict(frozen=True)

    question: str
    approved: bool = True


def preview(call: ServiceCall[CheckpointParameters]) -> str:
    """Return the question, in Markdown."""
    return f"You are asked:\n\n{fenced(call.parameters.question)}\n"


@internal_service(
    action="checkpoint",
    risk=RiskLevel.MEDIUM,
    title="Go on, if a person says so.",
    parameters=CheckpointParameters,
    open_inputs=True,
    output=Checkpoint,
    read_only=True,
    always_asks=True,
    preview=preview,
)
def checkpoint(call: ServiceCall[CheckpointParameters]) -> StepOutcome:
    """Record the decision: a step that runs was approved."""
    asked = Checkpoint(question=call.parameters.question)
    return StepOutcome(output=asked.model_dump(mode="json"), summary="A person said to go on.")
