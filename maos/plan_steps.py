"""Steps as most plans have them: a service's, which is called like its action, and a writer's, which is tried again."""

from pydantic import BaseModel

from maos.engines import EngineType
from maos.plans import Agent, PlanStep, RetryPolicy

WRITER_RETRY = RetryPolicy(attempts=4, first_delay_seconds=2)


def service_step(
    action: str, agent: Agent, phase: str, parameters: BaseModel | None = None, *, name: str = "", **inputs: str
) -> PlanStep:
    """Return a step of a service of our own.

    Args:
        name: what it is called, where that is not its action.
        inputs: the step that each input is from.
    """
    return PlanStep(
        id=name or action,
        agent=agent,
        phase=phase,
        engine=EngineType.INTERNAL_SERVICE,
        action=action,
        parameters=parameters.model_dump(mode="json") if parameters else {},
        inputs=inputs,
    )


def writer_step(
    action: str, agent: Agent, phase: str, parameters: BaseModel | None = None, *, name: str = "", **inputs: str
) -> PlanStep:
    """Return a step of a writer."""
    step = service_step(action, agent, phase, parameters, name=name, **inputs)
    return step.model_copy(update={"engine": EngineType.CLAUDE_CLI, "retry": WRITER_RETRY})
