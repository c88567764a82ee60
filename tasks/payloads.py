"""What a step will really do, computed the same way for the reviewer and for the engine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from maos.actions import ActionSpec, JsonObject
from maos.approvals import approval_payload
from maos.autonomy import AutonomyLevel
from maos.canonical import digest_of
from maos.errors import InputMismatch, PolicyViolation, RuleBroken
from maos.frontier import is_guarded, level_in
from maos.plans import PlanStep
from maos.policy import PolicyBook
from maos.provenance import untouched_steps
from maos.references import resolve, source_of
from maos.rendering import rendered, template_fields
from maos.risk import RiskFacts, RiskLevel
from maos.risk_facts import facts_of, risk_of
from maos.rules import RuleBook
from maos.rules_check import step_faults, tightened_actions
from maos.runs import Run
from sql import approvals
from sql.session import org_session
from tasks.catalogue import actions, rules_digest
from tasks.ledger import outputs_of
from tasks.outages import outlasting
from tasks.policies import policy_book
from tasks.rules import rule_book
from tasks.secrecy import let_out


@dataclass(frozen=True)
class Payload:
    """A step with its final parameters, bound inputs and rules, and the digest a reviewer approves."""

    run: Run
    step: PlanStep
    spec: ActionSpec
    parameters: JsonObject
    inputs: Mapping[str, Any]
    content: JsonObject
    book: RuleBook
    policies: PolicyBook

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical payload."""
        return digest_of(self.content)

    @cached_property
    def facts(self) -> RiskFacts:
        """What its final parameters say of the harm it can do."""
        return facts_of(self.spec, self.parameters)

    @cached_property
    def risk(self) -> RiskLevel:
        """Its risk with its final parameters."""
        return risk_of(self.spec, self.parameters, self.policies.policy)

    @property
    def level(self) -> AutonomyLevel:
        """How much it may do unasked: the strictest of its run, its step and the organisation's policy now."""
        return level_in(self.run, self.policies.policy, self.step.autonomy)

    @property
    def guarded(self) -> bool:
        """Whether a person must approve it."""
        return is_guarded(self.run, self.spec, self.level, risk=self.risk)

    @property
    def timeout_seconds(self) -> float:
        """The longest that one try may take."""
        return self.step.timeout_seconds or self.spec.timeout_seconds


def payload_of(run: Run, step_id: str, *, edited: JsonObject | None = None) -> Payload:
    """Bind a step's inputs from the ledger, check them, and complete its parameters by the action's schema.

    Args:
        edited: parameters to put in the place of its own; empty: those of a reviewer's edit, where there is one.

    Raises:
        InputMismatch: when what it reads does not fit what it needs.
        RuleBroken: when the rules forbid it with the parameters that it has now, or nobody knows its action.
    """
    book, policies = rule_book(run.org_id), policy_book(run.org_id)
    step = run.plan.step(step_id)
    spec = tightened_actions(actions(), book.rules).get(step.action)
    if spec is None:
        raise RuleBroken(step_id, [f"nobody knows the action {step.action!r} any more"])
    inputs = _inputs_of(run, step, spec)
    parameters = _parameters_of(step, spec, inputs, edited or _edited(run, step_id))
    if faults := step_faults(book.rules, spec, parameters):
        raise RuleBroken(step_id, faults)
    if spec.effect:
        parameters = _let_out(parameters, run, step, spec, inputs)
    content = approval_payload(
        step,
        parameters=parameters,
        inputs=inputs,
        plan_digest=run.plan.digest_for(step_id),
        # The rules as they are now: a change of them between approval and execution asks again.
        rules_digest=rules_digest([step.action], book),
    )
    return Payload(run, step, spec, parameters, inputs, content, book, policies)


def is_guarded_by_now(run: Run, step_id: str) -> bool:
    """Say whether a person must approve a step with its final parameters; faults are its attempt's to tell."""
    try:
        return payload_of(run, step_id).guarded
    except (InputMismatch, PolicyViolation):
        return False


def _inputs_of(run: Run, step: PlanStep, spec: ActionSpec) -> dict[str, Any]:
    sources = {source_of(reference) for reference in step.inputs.values()}
    # A source without an output has failed, and its plan lets the others go on without it.
    outputs: dict[str, JsonObject | None] = dict.fromkeys(sources) | outputs_of(run, sources)
    inputs = {name: resolve(reference, outputs) for name, reference in step.inputs.items()}
    for name, kind in spec.inputs.items():
        try:
            TypeAdapter(kind).validate_python(inputs[name])
        except ValidationError as error:
            raise InputMismatch(name, _first_fault(error)) from None
    return inputs


@outlasting
def _edited(run: Run, step_id: str) -> JsonObject | None:
    with org_session(run.org_id) as session:
        return approvals.edited_parameters(run.id, step_id, session=session)


def _parameters_of(
    step: PlanStep, spec: ActionSpec, inputs: Mapping[str, Any], edited: JsonObject | None
) -> JsonObject:
    # What an agent or a reviewer writes is taken by the letter: nothing in it is a template.
    by_letter = edited or (step.parameters if step.called_by else None)
    given = rendered(step.parameters, spec.parameters, inputs) if by_letter is None else by_letter
    try:
        return spec.parameters.model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        raise InputMismatch("parameters", _first_fault(error)) from None


def _let_out(
    parameters: JsonObject, run: Run, step: PlanStep, spec: ActionSpec, inputs: Mapping[str, Any]
) -> JsonObject:
    """Return the parameters with every text that was put together for the world as it may leave.

    Here, so that a reviewer approves what is sent. Names that stand in the customer's data are spared: those are
    outcomes in which no engine has written.
    """
    unwritten = untouched_steps(run.plan)
    own = {name: inputs[name] for name, reference in step.inputs.items() if source_of(reference) in unwritten}
    spared = json.dumps(own, ensure_ascii=False, default=str)
    return parameters | {
        name: let_out(parameters[name], spared=spared)
        for name in template_fields(spec.parameters)
        if isinstance(parameters.get(name), str)
    }


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg']}"
