"""How the code and rules that a run wakes up under differ from those it was planned with."""

from collections.abc import Set

from pydantic import BaseModel, ConfigDict

from maos.approval_view import as_code
from maos.plans import Plan, PlanStep


class Drift(BaseModel):
    """What has changed of a run's ground while it was not running."""

    model_config = ConfigDict(frozen=True)

    changed: tuple[str, ...]
    steps: tuple[str, ...]
    rebuilt: Plan | None
    fault: str | None


def changes_of(pinned: Plan, rebuilt: Plan, finished: Set[str]) -> tuple[str, ...]:
    """Return, in words, how a plan that was made anew differs in what is not done.

    Steps that outcomes have added since are no difference: they stand after those the plan began with.
    """
    began_with = pinned.steps[: pinned.revisions[0]] if pinned.revisions else pinned.steps
    before = {step.id: step for step in began_with if step.id not in finished}
    now = {step.id: step for step in rebuilt.steps if step.id not in finished}
    words = [f"step {name!r} is gone" for name in before.keys() - now.keys()]
    words += [f"step {name!r} is new: {now[name].action}" for name in now.keys() - before.keys()]
    for name in before.keys() & now.keys():
        if fields := _different(before[name], now[name]):
            words.append(f"step {name!r} has changed: {', '.join(fields)}")
    return tuple(sorted(words))


def _different(one: PlanStep, other: PlanStep) -> list[str]:
    return [name for name in PlanStep.model_fields if getattr(one, name) != getattr(other, name)]


def rebuilt_plan(pinned: Plan, rebuilt: Plan, finished: Set[str]) -> Plan:
    """Return the new plan with what is done as it was: an outcome keeps the step it came from."""
    done = tuple(step for step in pinned.steps if step.id in finished)
    return rebuilt.model_copy(
        update={"steps": (*done, *(step for step in rebuilt.steps if step.id not in finished)), "revisions": ()}
    )


def drift_as_markdown(drift: Drift) -> str:
    """Return what a reviewer reads: what has changed, and what each choice means."""
    changed = "\n".join(f"- {as_code(name)} is no longer what the run was planned with" for name in drift.changed)
    steps = "\n".join(f"- {as_code(words)}" for words in drift.steps) or "- none"
    rebuild = (
        f"`rebuild` is not possible: {as_code(drift.fault)}"
        if drift.fault
        else "`rebuild`: plan anew what is not done; what is done stays"
    )
    return (
        "The run wakes up under other code or rules than it was planned with.\n\n"
        f"{changed}\n\n**Differences of a plan made now, in what is not done**\n\n{steps}\n\n"
        f"**Choices**\n\n- `pinned`: go on with the plan as it is, under the present code\n- {rebuild}\n"
        "- reject: cancel the run\n"
    )
