"""The action of the researcher engine: a goal, what an agent and its sub-agents may use for it, and the limits."""

from collections import Counter
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from maos.actions import ActionSpec, ArtifactRef, JsonObject
from maos.agent_answer import CITATIONS
from maos.autonomy import AutonomyLevel
from maos.engines import EngineType
from maos.json_schemas import schema_faults
from maos.plans import PlanStep
from maos.rendering import TemplateText
from maos.risk import RiskLevel

# How many sub-agents a path from the step's own agent may have.
DEEPEST_DELEGATION = 5

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ToolName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentLimits(_Strict):
    """How far an agent may go, its sub-agents included."""

    turns: int = Field(default=30, ge=1, le=200, description="Calls of the engine that were answered.")
    tokens: int = Field(default=500_000, ge=1_000, le=20_000_000, description="Input and output, of whatever class.")
    money_usd: Decimal = Field(
        default=Decimal(2), gt=0, le=100, decimal_places=8, description="No call is made that could cost more."
    )
    wall_seconds: float = Field(
        default=1800.0, ge=1, le=86_400, description="Seconds worked; time in which people are waited for is none."
    )


class SubAgent(_Strict):
    """Somebody a task can be handed to."""

    name: AgentName
    persona: str = Field(default="", max_length=4000, description="Who the agent is, as the engine is told.")
    goal: str = Field(min_length=1, max_length=1000, description="What it is good for, as the others are told.")
    tools: tuple[ToolName, ...] = Field(default=(), max_length=40, description="Actions of services it may use.")
    autonomy: AutonomyLevel | None = Field(default=None, description="Empty: that of whoever hands it a task.")
    sub_agents: tuple[AgentName, ...] = Field(default=(), max_length=20, description="Whom it may hand tasks to.")


class InvestigationParameters(_Strict):
    """What is to be found out or brought about, by whom, within which limits."""

    goal: Annotated[TemplateText, Field(min_length=1, max_length=20_000)] = Field(description="What is asked.")
    tools: tuple[ToolName, ...] = Field(default=(), max_length=40, description="Actions of services it may use.")
    sub_agents: tuple[SubAgent, ...] = Field(default=(), max_length=20, description="Whom it may hand tasks to.")
    limits: AgentLimits = AgentLimits()
    output_schema: JsonObject | None = Field(
        default=None, description="JSON Schema of the answer; it is asked for once more where it does not fit."
    )

    @model_validator(mode="after")
    def _known_and_once(self) -> Self:
        names = Counter(agent.name for agent in self.sub_agents)
        for name, count in names.items():
            if count > 1:
                raise ValueError(f"sub_agents: {name!r} stands {count} times")
        for agent in self.sub_agents:
            for name in agent.sub_agents:
                if name not in names:
                    raise ValueError(f"sub_agents: {agent.name!r} names {name!r}; known: {', '.join(sorted(names))}")
        if self.output_schema is not None and (faults := schema_faults(self.output_schema, formats=CITATIONS)):
            raise ValueError(f"output_schema: {'; '.join(faults)}")
        return self

    def sub_agent(self, name: str) -> SubAgent | None:
        """Return the sub-agent of this name, if there is one."""
        return next((agent for agent in self.sub_agents if agent.name == name), None)


class TodoState(StrEnum):
    """Where a point of the list stands."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


class Todo(_Strict):
    """A point of an agent's list."""

    text: str = Field(min_length=1, max_length=500)
    state: TodoState = TodoState.OPEN


class Investigation(BaseModel):
    """What an agent has found out."""

    model_config = ConfigDict(frozen=True)

    answer: str
    value: JsonObject | None = Field(default=None, description="The answer, where a schema was asked for.")
    todos: tuple[Todo, ...]
    files: tuple[ArtifactRef, ...] = Field(description="What the agent and its sub-agents have written.")
    turns: int = Field(ge=0, description="Calls of the engine that were answered.")
    rehearsed: bool = Field(default=False, description="Whether it was derived by rule, without the engine.")


INVESTIGATE = ActionSpec(
    name="investigate",
    engine=EngineType.DEEP_AGENT,
    # What an agent does to the world it does by calls, each of which has a risk and a gate of its own.
    risk=RiskLevel.LOW,
    title="Have an agent work on a goal, with the tools that it is given.",
    parameters=InvestigationParameters,
    open_inputs=True,
    output=Investigation,
    proposes_steps=True,
)


def actions_of(step: PlanStep) -> frozenset[str]:
    """Return what a step may come to do: its action, and where it is an agent's, the actions of its team."""
    if step.action != INVESTIGATE.name:
        return frozenset({step.action})
    asked = InvestigationParameters.model_validate(step.parameters)
    return frozenset({step.action, *asked.tools, *(tool for agent in asked.sub_agents for tool in agent.tools)})
