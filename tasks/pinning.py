"""What a run was planned with, and whether that still holds when it is taken up again."""

from collections.abc import Set
from importlib.metadata import version

from maos.drift import Drift, changes_of
from maos.errors import BadInput, PlanRefused
from maos.investigation import actions_of
from maos.plan_check import check_plan
from maos.plans import Plan
from maos.runs import Run
from sql import runs
from tasks.catalogue import action_digest, actions, rules_digest
from tasks.code import project_digest
from tasks.entrypoints import ENTRYPOINTS, plan_of
from tasks.leases import run_session
from tasks.outages import outlasting

_PROJECT = "project"


def pins_of(plan: Plan) -> dict[str, str]:
    """Return the digests of what decides a plan's doing: all code at once, then each action and its rules."""
    pins = {_PROJECT: project_digest()}
    may_do = frozenset().union(*map(actions_of, plan.steps))
    for name in sorted(may_do & actions().keys()):
        pins |= {f"action {name}": action_digest(name), f"rules of {name}": rules_digest([name])}
    return pins


def code_version() -> str:
    """Return the release with the digest of its code."""
    return f"{version('maos')}+{project_digest()[:12]}"


def drift_of(run: Run, finished: Set[str]) -> Drift | None:
    """Return in what the present code or rules differ from those the run was planned with, where it matters.

    A change that touches neither its plan, nor the actions of what is not done, nor their rules, is none.
    """
    if not run.pins or run.pins.get(_PROJECT) == project_digest():
        return None
    left = tuple(step for step in run.plan.steps if step.id not in finished)
    if not left:
        return None
    now = pins_of(Plan(steps=left))
    changed = [name for name, digest in now.items() if name != _PROJECT and run.pins.get(name, digest) != digest]
    changed += [f"action {name}, which is gone" for name in sorted({step.action for step in left} - actions().keys())]
    rebuilt, fault = None, None
    try:
        rebuilt = _rebuilt(run)
    except PlanRefused as refused:
        changed.append(f"the plan: {refused}")
        fault = str(refused)
    except (BadInput, ValueError) as refused:
        # What the request names is gone; that says nothing about the code.
        fault = str(refused)
    steps = changes_of(run.plan, rebuilt, finished) if rebuilt else ()
    return Drift(changed=tuple(changed), steps=steps, rebuilt=rebuilt, fault=fault) if changed or steps else None


def _rebuilt(run: Run) -> Plan:
    """Return the plan that the present code makes of the run's request."""
    entrypoint = ENTRYPOINTS.get(run.entrypoint)
    if entrypoint is None:
        raise PlanRefused([f"the entrypoint {run.entrypoint!r} is gone"])
    plan = plan_of(run.entrypoint, entrypoint.request.model_validate(run.request))
    check_plan(plan, actions())
    return plan


@outlasting
def pin(run: Run) -> None:
    """Note that the run goes on with the present code and rules."""
    if run.pins.get(_PROJECT) == project_digest():
        return
    with run_session(run) as session:
        rules = rules_digest(sorted({step.action for step in run.plan.steps}))
        runs.set_pins(run.id, dict(pins_of(run.plan)), rules, code_version(), session=session)
