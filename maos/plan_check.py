"""What makes a plan acceptable: every fault is named at once, before anything is written or spent."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import TypeAdapter, ValidationError

from maos.actions import Actions, ActionSpec, JsonObject
from maos.agent_team import team_faults
from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.investigation import INVESTIGATE, InvestigationParameters
from maos.plans import MAX_STEPS, OnFailure, Plan, PlanStep
from maos.redaction import for_clients
from maos.references import missing_member, source_of
from maos.rendering import template_faults, template_fields
from maos.rules import Rules
from maos.rules_check import plan_faults


def check_plan(plan: Plan, actions: Actions, rules: Rules, *, cost_cap_usd: Decimal | None = None) -> None:
    """Refuse a plan that breaks a rule.

    Args:
        cost_cap_usd: what its run is asked to cost at most, if anything was asked.

    Raises:
        PlanRefused: with every fault, not the first.
    """
    faults = [
        *_structure_faults(plan),
        *(fault for step in plan.steps for fault in _step_faults(step, actions)),
        *(fault for step in plan.steps for fault in _binding_faults(step, plan, actions)),
        *plan_faults(rules, plan, actions, cost_cap_usd=cost_cap_usd),
    ]
    if faults:
        raise PlanRefused(faults)


def extended_plan(plan: Plan, proposed: Sequence[JsonObject], actions: Actions, rules: Rules) -> Plan:
    """Return the next revision of a plan with the steps that an outcome proposes.

    Raises:
        PlanRefused: with every fault: new steps pass the checks that the first ones passed.
    """
    steps, faults = [], []
    for number, fields in enumerate(proposed, start=1):
        try:
            steps.append(PlanStep.model_validate(fields))
        except ValidationError as error:
            faults += [
                f"proposed step {number}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                for fault in error.errors(include_url=False)
            ]
    if faults:
        raise PlanRefused(faults)
    if called := [step.id for step in steps if step.called_by]:
        raise PlanRefused([f"proposed step {name!r}: only an agent's call has `called_by`" for name in called])
    extended = plan.extended(steps)
    check_plan(extended, actions, rules)
    return extended


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
    agents = {step.id for step in plan.steps if step.engine is EngineType.DEEP_AGENT}
    faults += [
        f"step {step.id!r} is called by {step.called_by.step!r}, which is no agent's step of the plan"
        for step in plan.steps
        if step.called_by and step.called_by.step not in agents
    ]
    try:
        TopologicalSorter({step.id: step.depends_on for step in plan.steps}).prepare()
    except CycleError as error:
        faults.append("the steps depend on each other in a circle: " + " -> ".join(error.args[1]))
    return faults


def _step_faults(step: PlanStep, actions: Actions) -> list[str]:
    spec = actions.get(step.action)
    if spec is None:
        return [f"step {step.id!r}: unknown action {step.action!r}; allowed: {', '.join(sorted(actions))}"]
    faults = _name_faults(step)
    if spec.engine is not step.engine:
        faults.append(f"step {step.id!r}: action {step.action!r} runs on {spec.engine}, not on {step.engine}")
    if missing := spec.inputs.keys() - step.inputs.keys():
        faults.append(f"step {step.id!r}: inputs missing: {', '.join(sorted(missing))}")
    if not spec.open_inputs and (unknown := step.inputs.keys() - spec.inputs.keys()):
        taken = ", ".join(sorted(spec.inputs)) or "none"
        faults.append(f"step {step.id!r}: unknown inputs: {', '.join(sorted(unknown))}; inputs: {taken}")
    return faults + _parameter_faults(step, spec) + _team_faults(step, actions)


def _team_faults(step: PlanStep, actions: Actions) -> list[str]:
    if step.action != INVESTIGATE.name:
        return []
    try:
        asked = InvestigationParameters.model_validate(step.parameters)
    except ValidationError:
        # Named with the other parameters.
        return []
    return [f"step {step.id!r}: {fault}" for fault in team_faults(asked, step.autonomy, actions)]


def _name_faults(step: PlanStep) -> list[str]:
    # Clients read them in every row of the step, where they cannot be rewritten: rows are found by them.
    names = {"its id": step.id, "the name of its agent": step.agent.name, "its phase": step.phase or ""}
    return [
        f"step {step.id!r}: {place} must name no vendor, model or secret"
        for place, name in names.items()
        if for_clients(name) != name
    ]


def _parameter_faults(step: PlanStep, spec: ActionSpec) -> list[str]:
    faults = [
        f"step {step.id!r}: parameter {name}: {fault}"
        # What an agent writes is taken by the letter.
        for name in sorted(template_fields(spec.parameters) if step.called_by is None else ())
        for fault in template_faults(str(step.parameters.get(name, "")), step.inputs.keys())
    ]
    try:
        spec.parameters.model_validate(step.parameters)
    except ValidationError as error:
        faults += [
            f"step {step.id!r}: parameter {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
    return faults


def _binding_faults(step: PlanStep, plan: Plan, actions: Actions) -> list[str]:
    sources = {other.id: other for other in plan.steps}
    faults = []
    for name, reference in step.inputs.items():
        source = sources.get(source_of(reference))
        spec, source_spec = actions.get(step.action), actions.get(source.action) if source else None
        if source is None or spec is None or source_spec is None:
            continue
        if part := missing_member(reference, source_spec.output):
            faults.append(f"step {step.id!r}: input {name}: the outcome of {source.id!r} has no {part!r}")
        if source.on_failure is OnFailure.CONTINUE and name in spec.inputs and not _takes_null(spec.inputs[name]):
            faults.append(
                f"step {step.id!r}: input {name} may be null, because {source.id!r} continues on failure; "
                f"action {step.action!r} needs it"
            )
    return faults


def _takes_null(kind: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(None)
    except ValidationError:
        return False
    return True
