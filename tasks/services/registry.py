"""The register of internal services: decorating a function is all it takes to make an action plannable."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from maos.actions import ActionSpec, StepOutcome
from maos.engines import EngineType
from maos.risk import RiskLevel

P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True)
class RunFacts:
    """What a service may know of the run it works for."""

    run_id: UUID
    org: str
    title: str
    initiator: str
    started_at: datetime
    rehearsal: bool
    cost_usd: Decimal


@dataclass(frozen=True)
class ServiceCall(Generic[P]):
    """One call of a service: its validated parameters, bound inputs, and the run's folder for files."""

    parameters: P
    inputs: Mapping[str, Any]
    folder: Path
    run: RunFacts
    # Sent along with an effect: whoever keeps keys drops what it has had before.
    key: str
    timeout_seconds: float
    # What the service's `needs` returned: the engine's process reaches neither the database nor Prefect.
    tool: Any = None


# Any: each service takes a call of its own parameters model, which the registry keeps beside it.
Service = Callable[[ServiceCall[Any]], StepOutcome]
# What a reviewer reads before the action runs, in Markdown; by default the table of its parameters.
Preview = Callable[[ServiceCall[Any]], str]


@dataclass(frozen=True)
class RegisteredService:
    """A service with the specification of its action."""

    spec: ActionSpec
    run: Service
    preview: Preview | None
    # What is recorded when a person says that an effect in doubt did happen.
    confirmed: Service | None
    # Loads the tool of its calls, in the run's process.
    needs: Callable[[], Any] | None
    # Whether each call has a process of its own; without one it may use the database.
    apart: bool
    # Raises, in the run's process, where a call must not begin.
    guard: Callable[[ServiceCall[Any]], None] | None


SERVICES: dict[str, RegisteredService] = {}


def internal_service(
    *,
    action: str,
    risk: RiskLevel,
    title: str,
    parameters: type[P],
    preview: Callable[[ServiceCall[P]], str] | None = None,
    confirmed: Callable[[ServiceCall[P]], StepOutcome] | None = None,
    needs: Callable[[], Any] | None = None,
    apart: bool = True,
    guard: Callable[[ServiceCall[P]], None] | None = None,
    **facts: Any,
) -> Callable[[Callable[[ServiceCall[P]], StepOutcome]], Callable[[ServiceCall[P]], StepOutcome]]:
    """Register a function as an action of the `internal_service` engine.

    Args:
        needs: loads what the service works with, such as a block; its calls have it as `tool`.
        apart: whether each call has a process of its own, which can be ended but reaches neither database nor Prefect.
        guard: raises where a call must not begin, such as about what is no longer the run's; nothing is done then.
        facts: further fields of its `ActionSpec`, such as `inputs`, `output`, `read_only`, `effect`.

    Raises:
        ValueError: when the action is registered twice, or has an effect that can be in doubt and no `confirmed`.
    """
    spec = ActionSpec(
        name=action, engine=EngineType.INTERNAL_SERVICE, risk=risk, title=title, parameters=parameters, **facts
    )
    if spec.effect and not spec.effect.repeatable and confirmed is None:
        raise ValueError(f"action {action!r} has an effect that can be in doubt: say what is recorded when it happened")

    def register(function: Callable[[ServiceCall[P]], StepOutcome]) -> Callable[[ServiceCall[P]], StepOutcome]:
        if action in SERVICES:
            raise ValueError(f"action {action!r} is registered twice")
        SERVICES[action] = RegisteredService(spec, function, preview, confirmed, needs, apart, guard)
        return function

    return register
