"""The one plan model: the steps of a run, what each depends on, and what becomes of the others when one fails."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from maos.actions import JsonObject
from maos.autonomy import AutonomyLevel
from maos.canonical import digest_of
from maos.engines import EngineType
from maos.references import Reference, StepId, source_of

SCHEMA_VERSION = 3
# Digests are those of the form that was stored first with them: an upgrade alone must not void what was approved.
_DIGEST_VERSION = 2
MAX_STEPS = 100
MAX_PARALLELISM = 16


class OnFailure(StrEnum):
    """What becomes of a run when a step has failed for good."""

    FAIL = "fail"
    SKIP = "skip"
    CONTINUE = "continue"


class OnReject(StrEnum):
    """What becomes of a run when a step is rejected, or nobody decides in time."""

    STOP = "stop"
    SKIP = "skip"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Agent(_Value):
    """In whose name a step is done."""

    name: str = Field(min_length=1, max_length=100)
    persona: str = Field(default="", max_length=4000, description="Who the agent is, as its engine is told.")


class RetryPolicy(_Value):
    """How often a step is tried, where a failure says that trying again may help."""

    attempts: int = Field(default=3, ge=1, le=10, description="Tries in all.")
    first_delay_seconds: float = Field(default=1.0, ge=0, le=3600)
    factor: float = Field(default=2.0, ge=1, le=10, description="Each wait is this many times the one before.")
    longest_delay_seconds: float = Field(default=60.0, ge=0, le=3600)
    jitter: float = Field(default=0.5, ge=0, le=1, description="Share of each wait that is drawn at random.")

    def delays(self, *, tried: int) -> list[float]:
        """Return the seconds before each further try, after so many."""
        return [
            min(self.longest_delay_seconds, self.first_delay_seconds * self.factor**number)
            for number in range(tried, self.attempts - 1)
        ]


class CalledBy(_Value):
    """Whose call a step is: made by an agent while its own step was under way, and answered with the outcome."""

    step: StepId
    turn: int = Field(ge=1, description="The attempt of that step in which it called.")


class PlanStep(_Value):
    """One node of a plan: an agent has an engine carry out an action."""

    id: StepId
    agent: Agent
    engine: EngineType
    action: str
    parameters: JsonObject = Field(default_factory=dict)
    inputs: Mapping[str, Reference] = Field(
        default_factory=dict, description="What it reads, by binding name: a step, or a place in its output."
    )
    after: tuple[StepId, ...] = Field(default=(), description="Steps to wait for whose outcome is not read.")
    phase: str | None = Field(default=None, max_length=60, description="Heading under which people find it.")
    timeout_seconds: float | None = Field(
        default=None, gt=0, le=86_400, description="Longest that one try may take. Empty: the action's own."
    )
    retry: RetryPolicy = RetryPolicy()
    on_failure: OnFailure = OnFailure.FAIL
    on_reject: OnReject = OnReject.STOP
    autonomy: AutonomyLevel | None = Field(
        default=None, description="How much runs unasked in this step; only a stricter level than the run's counts."
    )
    called_by: CalledBy | None = Field(default=None, description="Set by the agent that calls it, never in a request.")

    @field_validator("agent", mode="before")
    @classmethod
    def _named(cls, agent: object) -> object:
        return Agent(name=agent) if isinstance(agent, str) else agent

    @property
    def depends_on(self) -> frozenset[str]:
        """The steps that must be settled before this one starts."""
        return frozenset(map(source_of, self.inputs.values())) | frozenset(self.after)


class Plan(_Value):
    """The steps of one run."""

    schema_version: Literal[3] = 3
    parallelism: int = Field(default=8, ge=1, le=MAX_PARALLELISM, description="Most steps under way at once.")
    steps: tuple[PlanStep, ...] = Field(min_length=1)
    revisions: tuple[int, ...] = Field(default=(), description="How many steps each earlier revision had.")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical plan."""
        steps = [_without_unset(step.model_dump(mode="json")) for step in self.steps]
        return digest_of(self.model_dump(mode="json") | {"schema_version": _DIGEST_VERSION, "steps": steps})

    @property
    def revision(self) -> int:
        """The number of this revision, from 1."""
        return len(self.revisions) + 1

    def step(self, step_id: str) -> PlanStep:
        """Return the step of this id.

        Raises:
            KeyError: when the plan has none.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def digest_for(self, step_id: str) -> str:
        """Return the digest of the first revision that had the step: later ones only add to it."""
        at = [step.id for step in self.steps].index(step_id)
        for number, steps in enumerate(self.revisions):
            if at < steps:
                return self.model_copy(
                    update={"steps": self.steps[:steps], "revisions": self.revisions[:number]}
                ).digest
        return self.digest

    def extended(self, steps: Iterable[PlanStep]) -> "Plan":
        """Return the next revision: the same steps, and these after them."""
        return Plan(
            parallelism=self.parallelism,
            steps=(*self.steps, *steps),
            revisions=(*self.revisions, len(self.steps)),
        )

    @property
    def last_steps(self) -> tuple[PlanStep, ...]:
        """The steps nothing depends on: their outcomes are the run's result; those of calls are their agent's."""
        needed = frozenset().union(*(step.depends_on for step in self.steps))
        return tuple(step for step in self.steps if step.id not in needed and step.called_by is None)

    def downstream_of(self, step_id: str) -> frozenset[str]:
        """Return the step and everything that depends on it, however far."""
        found = {step_id}
        # As often as the longest path asks for: steps may stand in any order.
        while more := {step.id for step in self.steps if step.id not in found and step.depends_on & found}:
            found |= more
        return frozenset(found)


def _without_unset(step: JsonObject) -> JsonObject:
    """Leave out what version 3 added, where it says nothing."""
    return {name: value for name, value in step.items() if name not in _SINCE_VERSION_3 or value is not None}


_SINCE_VERSION_3 = frozenset({"autonomy", "called_by"})


class Mode(StrEnum):
    """How the steps of a plan are arranged; a mode only chooses their dependencies."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    DAG = "dag"


def arranged(steps: Iterable[PlanStep], mode: Mode) -> tuple[PlanStep, ...]:
    """Return the steps with the dependencies of a mode, in addition to what they read: DAG leaves them as they are."""
    given = tuple(steps)
    if mode is Mode.DAG:
        return given
    if mode is Mode.PARALLEL:
        return tuple(step.model_copy(update={"after": ()}) for step in given)
    chained = (
        step.model_copy(update={"after": (*(name for name in step.after if name != before.id), before.id)})
        for before, step in pairwise(given)
    )
    return (*given[:1], *chained)
