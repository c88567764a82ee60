"""Where an outcome comes from: whether an engine that writes had a hand in it."""

from maos.engines import EngineType
from maos.plans import Plan


def untouched_steps(plan: Plan) -> frozenset[str]:
    """Return the steps whose outcomes are the customer's data and our own figures: no engine has written in them.

    Steps that were added later are not among them: an engine may have thought of their parameters.
    """
    untouched: set[str] = set()
    planned = plan.steps[: plan.revisions[0]] if plan.revisions else plan.steps
    left = {step.id: step for step in planned if step.engine is EngineType.INTERNAL_SERVICE}
    while True:
        found = {name for name, step in left.items() if step.depends_on <= untouched}
        if not found:
            return frozenset(untouched)
        untouched |= found
        left = {name: step for name, step in left.items() if name not in found}
