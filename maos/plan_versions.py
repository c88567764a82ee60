"""Plans as they were stored by older releases: each version is upgraded to the next, a newer one is refused."""

from collections.abc import Callable, Mapping

from pydantic import ValidationError

from maos.actions import JsonObject
from maos.errors import PlanRefused
from maos.plans import SCHEMA_VERSION, Plan


def load_plan(stored: JsonObject) -> Plan:
    """Return a stored plan in the present model.

    Raises:
        PlanRefused: naming the version, when this release does not know it; or with every fault of its form.
    """
    version = stored.get("schema_version")
    # A boolean is an integer to Python, and no version.
    if type(version) is not int or version < 1:
        raise PlanRefused([f"schema_version {version!r} is none; versions begin with 1"])
    if version > SCHEMA_VERSION:
        raise PlanRefused([f"schema_version {version} is newer than {SCHEMA_VERSION}, the newest this release knows"])
    while version < SCHEMA_VERSION:
        stored = _UPGRADES[version](stored)
        version += 1
    try:
        return Plan.model_validate(stored)
    except ValidationError as error:
        raise PlanRefused(
            [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
        ) from None


def _with_tries(plan: JsonObject) -> JsonObject:
    """Version 1 named agents by their name alone, as the model still reads; the writer's tries stood in its task."""
    newer = plan | {"schema_version": 2}
    if isinstance(steps := plan.get("steps"), list):
        newer["steps"] = [_with_writers_tries(step) for step in steps]
    return newer


def _with_writers_tries(step: object) -> object:
    # What is no step is named as such when the whole is read.
    if not isinstance(step, dict) or step.get("engine") != "claude_cli":
        return step
    return _V1_WRITER | step


_V1_WRITER: JsonObject = {"retry": {"attempts": 4, "first_delay_seconds": 2.0}}


def _with_calls(plan: JsonObject) -> JsonObject:
    """Version 2 knew neither steps that agents call nor a step's own autonomy: nothing in it changes its meaning."""
    return plan | {"schema_version": 3}


_UPGRADES: Mapping[int, Callable[[JsonObject], JsonObject]] = {1: _with_tries, 2: _with_calls}
