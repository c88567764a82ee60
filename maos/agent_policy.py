"""The one place that says what becomes of an agent's call of an action: it runs, becomes a step, or is refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from maos.actions import Actions, ActionSpec, JsonObject
from maos.agent_team import Member
from maos.autonomy import AutonomyLevel, stricter
from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.frontier import is_guarded, level_in
from maos.policy import Policy
from maos.risk_facts import risk_of
from maos.runs import Run


class Ruling(StrEnum):
    """What becomes of a call."""

    RUN = "run"
    STEP = "step"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Judgement:
    """A ruling with its reason, which the agent is told where it is a refusal."""

    ruling: Ruling
    reason: str = ""


def judge(
    run: Run, caller: Member, action: str, actions: Actions, *, arguments: JsonObject, policy: Policy
) -> Judgement:
    """Say what becomes of a call of an action, by its risk with these arguments, autonomy and what the caller may use.

    Whatever asks a person, does something to the world, reads other outcomes or adds steps becomes a step of the
    plan: the executor then does what it does for every step.
    """
    spec = actions.get(action)
    if spec is None or spec.engine is not EngineType.INTERNAL_SERVICE or action not in caller.tools:
        known = ", ".join(sorted(caller.tools)) or "none"
        return Judgement(Ruling.REFUSE, f"{action!r} is no action that you may use; yours are: {known}")
    level, risk = level_in(run, policy, caller.autonomy), risk_of(spec, _completed(arguments, spec), policy)
    if is_guarded(run, spec, level, risk=risk) or _is_a_steps_affair(spec):
        return Judgement(Ruling.STEP)
    return Judgement(Ruling.RUN)


def _completed(arguments: JsonObject, spec: ActionSpec) -> JsonObject:
    """Return a call's arguments as they would be carried out; what does not fit is refused there."""
    try:
        return spec.parameters.model_validate(arguments).model_dump(mode="json")
    except ValidationError:
        return arguments


def _is_a_steps_affair(spec: ActionSpec) -> bool:
    return spec.effect is not None or bool(spec.inputs) or spec.proposes_steps


def within_means(proposed: Iterable[JsonObject], caller: Member) -> tuple[JsonObject, ...]:
    """Return proposed steps with the caller's autonomy, which a step can only make stricter.

    Raises:
        PlanRefused: naming each step that would do what its proposer may not do itself.
    """
    steps = tuple(proposed)
    if faults := [
        f"proposed step {number}: {step.get('action')!r} is no action that you may use; "
        f"yours are: {', '.join(sorted(caller.tools)) or 'none'}"
        for number, step in enumerate(steps, start=1)
        if step.get("action") not in caller.tools
    ]:
        raise PlanRefused(faults)
    return tuple(_no_freer(step, caller) for step in steps)


def _no_freer(fields: JsonObject, caller: Member) -> JsonObject:
    if caller.autonomy is None:
        return fields
    given = fields.get("autonomy")
    level = AutonomyLevel(given) if given in list(AutonomyLevel) else caller.autonomy
    return fields | {"autonomy": stricter(level, caller.autonomy).value}
