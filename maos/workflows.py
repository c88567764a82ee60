"""Workflows that an organisation registers: an agent's goal, tools and limits, what goes in and what comes out."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from maos.actions import ArtifactRef, JsonObject
from maos.agent_answer import CITATIONS
from maos.autonomy import AutonomyLevel
from maos.coverage import covered_places
from maos.investigation import AgentLimits, ToolName
from maos.json_schemas import schema_faults
from maos.rendering import TemplateText

WorkflowName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]

# Formats of inputs: where files are. What `file` and `folder` name the agent reads; a `table` is for services alone.
FILE, FOLDER, TABLE = "file", "folder", "table"
SOURCES = frozenset({FILE, FOLDER, TABLE})


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Preparation(_Strict):
    """An action that is carried out before the agent begins, and whose outcome it reads under the action's name."""

    action: ToolName = Field(description="An action of a service that reads the material.")
    parameters: JsonObject = Field(default_factory=dict, description="As the action takes them; texts are templates.")


class WorkflowDefinition(_Strict):
    """A workflow as it is registered."""

    name: WorkflowName = Field(description="Small letters, digits and dashes; versions of it are numbered.")
    title: str = Field(min_length=1, max_length=200, description="What it does, in a few words.")
    goal: Annotated[TemplateText, Field(min_length=1, max_length=20_000)] = Field(
        description="What the agent is asked: a template of `inputs`, `documents`, and names of preparations."
    )
    persona: str = Field(default="", max_length=4000, description="Who the agent is, as the engine is told.")
    tools: tuple[ToolName, ...] = Field(default=(), max_length=40, description="Actions of services it may use.")
    prepare: tuple[Preparation, ...] = Field(default=(), max_length=10, description="What is done before it begins.")
    limits: AgentLimits = AgentLimits()
    inputs: JsonObject = Field(description="JSON Schema of the inputs, an object: the workflow's form.")
    output: JsonObject = Field(description="JSON Schema of the output, an object.")
    autonomy: AutonomyLevel | None = Field(
        default=None, description="How much runs unasked; only a stricter level than the run's counts."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        faults = [f"inputs: {fault}" for fault in schema_faults(self.inputs, formats=SOURCES)]
        faults += [f"output: {fault}" for fault in schema_faults(self.output, formats=CITATIONS)]
        names = [each.action for each in self.prepare]
        faults += [f"prepare: {name!r} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
        faults = faults or [
            f"output: x-covers {place!r} is of nothing that the agent reads: {', '.join(['inputs', *names])}"
            for place in covered_places(self.output)
            if place.partition(".")[0] not in {"inputs", *names}
        ]
        if faults:
            raise ValueError("\n".join(faults))
        return self


class MaterialFile(_Strict):
    """A file that a run of a workflow reads, as it was when the plan was made."""

    source: str = Field(description="The input that names it.")
    name: str = Field(min_length=1, max_length=500, description="What it is called; unique among them.")
    path: str
    sha256: str
    size: int = Field(ge=0)
    told: bool = Field(description="Whether the agent is given its text.")

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        if name.startswith("/") or {"", ".", ".."} & set(name.split("/")):
            raise ValueError("a name, or a path that leads down only")
        return name


class LeftOut(_Strict):
    """A file of a folder that is not read, and why."""

    name: str
    reason: str


class TakeMaterialParameters(_Strict):
    """What a run of a workflow works on."""

    inputs: JsonObject = Field(description="As they were given, with defaults.")
    files: tuple[MaterialFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


class Material(BaseModel):
    """What a run of a workflow works on, read."""

    model_config = ConfigDict(frozen=True)

    inputs: JsonObject
    documents: dict[str, str] = Field(description="The text of each document by its name.")
    tables: dict[str, ArtifactRef] = Field(description="The table of each input that names one.")
    left_out: tuple[LeftOut, ...] = ()


class DeliverParameters(_Strict):
    """Which workflow's output is delivered, and what it has to be like."""

    workflow: WorkflowName
    version: int = Field(ge=1)
    title: str
    # Any: a JSON Schema, checked when the workflow was registered.
    output_schema: dict[str, Any]


class DeliveredOutput(BaseModel):
    """The validated output of a workflow."""

    model_config = ConfigDict(frozen=True)

    workflow: str
    version: int
    output: JsonObject
    rehearsed: bool
    file: ArtifactRef
    page: ArtifactRef
