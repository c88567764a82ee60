"""What the rules say of a step with its parameters, of a plan, of a text and of a run."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from maos.actions import Actions, ActionSpec, JsonObject
from maos.approval_policy import ApprovalPolicy
from maos.effects import EffectKind
from maos.forbidden_text import fields_in, plain_of, texts_of, words_in
from maos.plans import Plan
from maos.recipients import ADDRESSES, RECIPIENTS, addresses_in, host_of, recipients_in
from maos.rules import Rules
from maos.rules_merge import lower
from maos.runs import Run


def step_faults(rules: Rules, spec: ActionSpec, parameters: JsonObject) -> list[str]:
    """Return what the rules have against an action with these parameters; the one check of every step and tool call.

    A fault of a parameter begins with `parameter` and its name.
    """
    faults = _names_faults(rules, spec)
    faults += [f"parameter {fault}" for fault in text_faults(rules, parameters)]
    if spec.effect:
        faults += _private_faults(rules, parameters)
    if spec.effect and spec.effect.kind is EffectKind.EMAIL and rules.email.limited:
        faults += _recipient_faults(rules, parameters)
    if spec.effect and spec.effect.kind is EffectKind.WEBHOOK and rules.webhooks.hosts is not None:
        faults += _host_faults(rules.webhooks.hosts, parameters)
    return faults


def _names_faults(rules: Rules, spec: ActionSpec) -> list[str]:
    faults = []
    if rules.engines is not None and spec.engine not in rules.engines:
        faults.append(f"engine {spec.engine} is not allowed; allowed: {_listed(rules.engines)}")
    if rules.actions is not None and spec.name not in rules.actions:
        faults.append(f"action {spec.name!r} is not allowed; allowed: {_listed(rules.actions)}")
    if spec.name in rules.ask_first and rules.ask_first[spec.name].nobody:
        faults.append(f"action {spec.name!r} needs an approval that the rules let nobody give")
    return faults


def text_faults(rules: Rules, value: JsonObject) -> list[str]:
    """Return the forbidden terms and topics in a JSON object, each with the field it stands in."""
    faults: dict[str, None] = {}
    if not rules.forbidden_terms and not rules.forbidden_topics:
        return []
    for place, text in texts_of(value):
        plain = plain_of(text)
        for term in words_in(rules.forbidden_terms, plain):
            faults[f"{place}: has the forbidden term {term!r}"] = None
        for topic, terms in rules.forbidden_topics.items():
            for term in words_in(terms, plain):
                faults[f"{place}: touches the forbidden topic {topic!r} by {term!r}"] = None
    return list(faults)


def _private_faults(rules: Rules, parameters: JsonObject) -> list[str]:
    inside = rules.stays_inside
    faults: dict[str, None] = {}
    for place, text in texts_of(parameters):
        found = [repr(name) for name in fields_in(inside.fields, text)]
        found += [f"a {pattern}" for pattern in sorted(inside.patterns) if pattern.occurs_in(text)]
        faults |= dict.fromkeys(f"parameter {place}: carries {what}, which stays inside" for what in found)
    return list(faults)


def _recipient_faults(rules: Rules, parameters: JsonObject) -> list[str]:
    email = rules.email
    reached = recipients_in(parameters)
    allowed = f"addresses {_listed(email.recipients or ())}; domains {_listed(email.domains or ())}"
    # One that says nowhere whom it reaches is refused where that is limited.
    if not any(reached.values()):
        return [f"it does not say in {_listed(RECIPIENTS)} who gets it; allowed: {allowed}"]
    return [
        f"parameter {name}: {address!r} is not allowed; allowed: {allowed}"
        for name, addresses in reached.items()
        for address in addresses
        if not email.allows(address)
    ]


def _host_faults(hosts: frozenset[str], parameters: JsonObject) -> list[str]:
    reached = addresses_in(parameters)
    if not any(reached.values()):
        return [f"it does not say in {_listed(ADDRESSES)} whom it calls; allowed hosts: {_listed(hosts)}"]
    return [
        f"parameter {name}: host {host_of(url)!r} is not allowed; allowed: {_listed(hosts)}"
        for name, urls in reached.items()
        for url in urls
        if host_of(url) not in hosts
    ]


def plan_faults(rules: Rules, plan: Plan, actions: Actions, *, cost_cap_usd: Decimal | None) -> list[str]:
    """Return what the rules have against a plan, as far as its parameters say before they are rendered."""
    faults = limit_faults(rules, steps=len(plan.steps), cost_cap_usd=cost_cap_usd)
    for step in plan.steps:
        if spec := actions.get(step.action):
            faults += [f"step {step.id!r}: {fault}" for fault in step_faults(rules, spec, step.parameters)]
    return faults


def limit_faults(rules: Rules, *, steps: int, cost_cap_usd: Decimal | None) -> list[str]:
    """Return which limits of a run are passed from the outset."""
    limits, faults = rules.limits, []
    if limits.steps is not None and steps > limits.steps:
        faults.append(f"{steps} steps; the rules allow at most {limits.steps}")
    if limits.cost_usd is not None and cost_cap_usd is not None and cost_cap_usd > limits.cost_usd:
        faults.append(f"cost_cap_usd: {cost_cap_usd:f} is not allowed; the rules allow at most {limits.cost_usd:f}")
    return faults


def held_to(plan: Plan, rules: Rules) -> Plan:
    """Return the plan with no more steps at once than the rules allow."""
    most = rules.limits.parallelism
    return plan if most is None or plan.parallelism <= most else plan.model_copy(update={"parallelism": most})


def cap_under(rules: Rules, requested: Decimal | None) -> Decimal | None:
    """Return what a run may cost at most: what was requested, else what the rules allow."""
    return rules.limits.cost_usd if requested is None else requested


def calls_under(rules: Rules, requested: int | None) -> int | None:
    """Return how many calls of paid engines a run may make at most: the lower of what is asked and what is allowed."""
    return lower(requested, rules.limits.calls)


def tightened_actions(actions: Actions, rules: Rules) -> Actions:
    """Return the actions, those that the rules have somebody asked about as ones that always ask."""
    asked = {name: spec for name, spec in actions.items() if name in rules.ask_first}
    return {**actions, **{name: spec.model_copy(update={"always_asks": True}) for name, spec in asked.items()}}


def policy_of(rules: Rules, action: str) -> ApprovalPolicy:
    """Return who may approve an action."""
    return rules.ask_first[action].policy if action in rules.ask_first else ApprovalPolicy()


def overdue(rules: Rules, run: Run, now: datetime) -> str | None:
    """Return why a run has taken too long, or None.

    Its time runs from its start, but not while it waits for people, nor between its end and its being taken up again.
    """
    most = rules.limits.wall_time_seconds
    if most is None or now - run.started_at - timedelta(seconds=run.waited_seconds) <= timedelta(seconds=most):
        return None
    return f"it has taken longer than the {most} seconds that its rules allow"


def unknown_actions(rules: Rules, actions: Mapping[str, object]) -> list[str]:
    """Return a fault for each action that rules name and nobody knows."""
    known = _listed(actions)
    return [f"action {name!r} is unknown; allowed: {known}" for name in sorted(rules.named_actions - actions.keys())]


def _listed(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values))) or "none"
