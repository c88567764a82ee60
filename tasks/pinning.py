"""What a run was planned with, and whether that still holds when it is taken up again."""

from collections.abc import Set
from importlib.metadata import version

from maos.drift import Drift, changes_of
from maos.errors import BadInput, PlanRefused
from maos.investigation import actions_of
from maos.plan_check import check_plan
from maos.plans import Plan
from maos.rules import RuleBook, Rules
from maos.rules_check import held_to
from maos.runs import Run
from sql import runs
from tasks.catalogue import action_digest, actions, risk_digest, rules_digest
from tasks.code import project_digest
from tasks.entrypoints import ENTRYPOINTS, plan_of
from tasks.leases import run_session
from tasks.outages import outlasting
from tasks.rules import rule_book

_PROJECT = "project"
_BOOK = "rules"


def pins_of(plan: Plan, book: RuleBook) -> dict[str, str]:
    """Return the digests of what decides a plan's doing: all code at once, the rule book, each action and its risk."""
    pins = {_PROJECT: project_digest(), _BOOK: book.digest}
    may_do = frozenset().union(*map(actions_of, plan.steps))
    for name in sorted(may_do & actions().keys()):
        pins |= {f"action {name}": action_digest(name), f"rules of {name}": risk_digest([name])}
    return pins


def code_version() -> str:
    """Return the release with the digest of its code."""
    return f"{version('maos')}+{project_digest()[:12]}"


def drift_of(run: Run, finished: Set[str]) -> Drift | None:
    """Return in what the present code or rules differ from those the run was planned with, where it matters.

    A change that touches neither its plan, nor the actions of what is not done, nor their rules, is none.
    """
    book = rule_book(run.org_id)
    if not run.pins or _is_unchanged(run, book):
        return None
    left = tuple(step for step in run.plan.steps if step.id not in finished)
    if not left:
        return None
    now = pins_of(Plan(steps=left), book)
    changed = [name for name, digest in now.items() if name != _PROJECT and run.pins.get(name, digest) != digest]
    changed += [f"action {name}, which is gone" for name in sorted({step.action for step in left} - actions().keys())]
    rebuilt, fault = None, None
    try:
        rebuilt = _rebuilt(run, book.rules)
    except PlanRefused as refused:
        changed.append(f"the plan: {refused}")
        fault = str(refused)
    except (BadInput, ValueError) as refused:
        # What the request names is gone; that says nothing about the code.
        fault = str(refused)
    steps = changes_of(run.plan, rebuilt, finished) if rebuilt else ()
    return Drift(changed=tuple(changed), steps=steps, rebuilt=rebuilt, fault=fault) if changed or steps else None


def _is_unchanged(run: Run, book: RuleBook) -> bool:
    # Rules stand in files and rows, which the digest of the code says nothing of. Older runs have no pin of them.
    return run.pins.get(_PROJECT) == project_digest() and run.pins.get(_BOOK, book.digest) == book.digest


def _rebuilt(run: Run, rules: Rules) -> Plan:
    """Return the plan that the present code makes of the run's request."""
    entrypoint = ENTRYPOINTS.get(run.entrypoint)
    if entrypoint is None:
        raise PlanRefused([f"the entrypoint {run.entrypoint!r} is gone"])
    plan = plan_of(run.entrypoint, entrypoint.request.model_validate(run.request))
    check_plan(plan, actions(), rules)
    return held_to(plan, rules)


@outlasting
def pin(run: Run) -> None:
    """Note that the run goes on with the present code and rules."""
    book = rule_book(run.org_id)
    if _BOOK in run.pins and _is_unchanged(run, book):
        return
    with run_session(run) as session:
        rules = rules_digest(sorted({step.action for step in run.plan.steps}), book)
        runs.set_pins(run.id, dict(pins_of(run.plan, book)), rules, code_version(), session=session)
