"""What a step may ask an engine to do: the specification of an action and what it returns."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from maos.engines import EngineType
from maos.risk import RiskLevel

# A JSON object as it stands in a table or crosses an engine's border; each reader validates it into its own model.
JsonObject = dict[str, Any]


class ActionSpec(BaseModel):
    """An action that plans may name."""

    model_config = ConfigDict(frozen=True)

    name: str
    engine: EngineType
    risk: RiskLevel
    title: str = Field(description="What will happen, as a sentence for a reviewer.")
    parameters: type[BaseModel] = Field(description="The schema of the action's parameters.")
    inputs: frozenset[str] = Field(default=frozenset(), description="Names of the outcomes the action needs.")
    read_only: bool = Field(default=False, description="Whether the action changes nothing outside the run.")


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


Actions = Mapping[str, ActionSpec]
