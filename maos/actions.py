"""What a step may ask an engine to do: the specification of an action and what it returns."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from maos.effects import Effect
from maos.engines import EngineType
from maos.risk import RiskLevel

# A JSON object as it stands in a table or crosses an engine's border; each reader validates it into its own model.
JsonObject = dict[str, Any]


class AmountField(BaseModel):
    """Where an action's parameters say how much money it moves."""

    model_config = ConfigDict(frozen=True)

    amount: str = Field(description="The parameter with the amount.")
    currency: str = Field(description="The parameter with its currency.")


class ActionSpec(BaseModel):
    """An action that plans may name."""

    model_config = ConfigDict(frozen=True)

    name: str
    engine: EngineType
    risk: RiskLevel
    title: str = Field(description="What will happen, as a sentence for a reviewer.")
    parameters: type[BaseModel] = Field(description="The schema of the action's parameters.")
    # Any: models, unions and plain types alike; what a step reads is validated into it.
    inputs: Mapping[str, Any] = Field(default_factory=dict, description="The type of each outcome the action needs.")
    open_inputs: bool = Field(default=False, description="Whether it takes further inputs under names of the plan's.")
    output: type[BaseModel] | None = Field(default=None, description="The model of its output, where it has one.")
    read_only: bool = Field(default=False, description="Whether the action changes nothing outside the run.")
    always_asks: bool = Field(default=False, description="Whether a person decides, whatever the autonomy.")
    effect: Effect | None = Field(default=None, description="What it does to the world outside, if anything.")
    amount: AmountField | None = Field(default=None, description="The money it moves, if any; it can raise its risk.")
    proposes_steps: bool = Field(default=False, description="Whether its outcome may add steps to the plan.")
    timeout_seconds: float = Field(default=600.0, gt=0, description="Longest that one try may take, by default.")

    @model_validator(mode="after")
    def _names_its_parameters(self) -> "ActionSpec":
        named = {self.amount.amount, self.amount.currency} if self.amount else set()
        if unknown := named - self.parameters.model_fields.keys():
            raise ValueError(f"amount names no parameter: {', '.join(sorted(unknown))}")
        return self


class ArtifactRef(BaseModel):
    """A file that a step made, by its place in the run's folder and its checksum."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Path relative to the run's folder, with forward slashes.")
    media_type: str
    sha256: str
    size: int = Field(description="Bytes.")


class StepOutcome(BaseModel):
    """What a finished step leaves behind."""

    model_config = ConfigDict(frozen=True)

    output: JsonObject = Field(description="What later steps read; plain JSON.")
    summary: str = Field(description="One sentence for people, safe for clients.")
    artifacts: tuple[ArtifactRef, ...] = ()
    proposed_steps: tuple[JsonObject, ...] = Field(default=(), description="Steps to add to the plan.")


Actions = Mapping[str, ActionSpec]
