"""The one plan model, and what makes a plan acceptable."""

from collections import Counter
from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from maos.actions import Actions, ActionSpec, JsonObject
from maos.canonical import digest_of
from maos.engines import EngineType
from maos.errors import PlanRefused

MAX_STEPS = 100

StepId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class PlanStep(BaseModel):
    """One node of a plan: an agent has an engine carry out an action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: StepId
    agent: str = Field(min_length=1, max_length=100)
    engine: EngineType
    action: str
    parameters: JsonObject = Field(default_factory=dict)
    inputs: Mapping[str, StepId] = Field(default_factory=dict, description="Outcome of which step, by binding name.")
    after: tuple[StepId, ...] = Field(default=(), description="Steps to wait for whose outcome is not read.")

    @property
    def depends_on(self) -> frozenset[str]:
        """The steps that must be completed before this one starts."""
        return frozenset(self.inputs.values()) | frozenset(self.after)


class Plan(BaseModel):
    """The steps of one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    steps: tuple[PlanStep, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical plan."""
        return digest_of(self.model_dump(mode="json"))

    def step(self, step_id: str) -> PlanStep:
        """Return the step of this id.

        Raises:
            KeyError: when the plan has none.
        """
        return next(step for step in self.steps if step.id == step_id)

    @property
    def last_steps(self) -> tuple[PlanStep, ...]:
        """The steps nothing depends on: their outcomes are the run's result."""
        needed = frozenset().union(*(step.depends_on for step in self.steps))
        return tuple(step for step in self.steps if step.id not in needed)


def ready_steps(plan: Plan, *, completed: Set[str]) -> tuple[PlanStep, ...]:
    """Return the steps that are not completed and whose dependencies all are."""
    return tuple(step for step in plan.steps if step.id not in completed and step.depends_on <= completed)


def check_plan(plan: Plan, actions: Actions) -> None:
    """Refuse a plan that breaks a rule.

    Raises:
        PlanRefused: with every fault, not the first.
    """
    faults = [*_structure_faults(plan), *(fault for step in plan.steps for fault in _step_faults(step, actions))]
    if faults:
        raise PlanRefused(faults)


def _structure_faults(plan: Plan) -> list[str]:
    counts = Counter(step.id for step in plan.steps)
    faults = [f"step {name!r} stands {count} times" for name, count in counts.items() if count > 1]
    faults += [
        f"step {step.id!r} depends on {name!r}, which the plan does not have"
        for step in plan.steps
        for name in sorted(step.depends_on - counts.keys())
    ]
    if len(plan.steps) > MAX_STEPS:
        faults.append(f"{len(plan.steps)} steps; at most {MAX_STEPS} are allowed")
    try:
        TopologicalSorter({step.id: step.depends_on for step in plan.steps}).prepare()
    except CycleError as error:
        faults.append("the steps depend on each other in a circle: " + " -> ".join(error.args[1]))
    return faults


def _step_faults(step: PlanStep, actions: Actions) -> list[str]:
    spec = actions.get(step.action)
    if spec is None:
        return [f"step {step.id!r}: unknown action {step.action!r}; allowed: {', '.join(sorted(actions))}"]
    faults = []
    if spec.engine is not step.engine:
        faults.append(f"step {step.id!r}: action {step.action!r} runs on {spec.engine}, not on {step.engine}")
    if missing := spec.inputs - step.inputs.keys():
        faults.append(f"step {step.id!r}: inputs missing: {', '.join(sorted(missing))}")
    return faults + _parameter_faults(step, spec)


def _parameter_faults(step: PlanStep, spec: ActionSpec) -> list[str]:
    try:
        spec.parameters.model_validate(step.parameters)
    except ValidationError as error:
        return [
            f"step {step.id!r}: parameter {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
    return []
