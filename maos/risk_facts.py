"""The risk of an action with its parameters: found from what they say, never lowered by it."""

from decimal import Decimal, InvalidOperation

from pydantic import ValidationError

from maos.actions import ActionSpec, JsonObject
from maos.policy import Policy
from maos.recipients import ADDRESSES, RECIPIENTS, addresses_in, domain_of, host_of, recipients_in
from maos.rendering import template_fields
from maos.risk import UNREADABLE, Amount, RiskFacts, RiskLevel, RiskRule, raised_risk

# Communication at large is critical, whatever an organisation's policy says: that only adds rules.
MOST_RECIPIENTS = 10
DEFAULT_RULES = (RiskRule(raise_to=RiskLevel.CRITICAL, recipients_over=MOST_RECIPIENTS),)
_TEMPLATE_MARKS = ("{{", "{%")


def facts_of(spec: ActionSpec, parameters: JsonObject) -> RiskFacts:
    """Return what an action's parameters say of the harm it can do; whom it reaches counts where it reaches outside."""
    amount = _amount_of(spec, parameters)
    if spec.effect is None:
        return RiskFacts(amount=amount)
    people = {person.strip().lower() for group in recipients_in(parameters).values() for person in group}
    hosts = {host_of(url) for urls in addresses_in(parameters).values() for url in urls}
    return RiskFacts(amount=amount, recipients=len(people), domains=frozenset({*map(domain_of, people), *hosts}))


def risk_of(spec: ActionSpec | None, parameters: JsonObject, policy: Policy) -> RiskLevel:
    """Return the risk of an action with these parameters; of one that nobody knows, the highest."""
    if spec is None:
        return RiskLevel.CRITICAL
    facts = facts_of(spec, parameters)
    if facts.amount is not None and not facts.amount.readable:
        return RiskLevel.CRITICAL
    return raised_risk(spec.risk, spec.name, facts, rules_of(policy))


def rules_of(policy: Policy) -> tuple[RiskRule, ...]:
    """Return every rule that raises risks: those of everybody, then the organisation's."""
    return (*DEFAULT_RULES, *policy.risk_rules)


def may_be_raised(spec: ActionSpec, policy: Policy) -> bool:
    """Say whether an action's parameters, or its name, can raise its risk above the one it is declared with."""
    named = any(spec.name in rule.actions for rule in policy.risk_rules if rule.actions is not None)
    return spec.effect is not None or spec.amount is not None or named


def awaits_outcomes(spec: ActionSpec, parameters: JsonObject, policy: Policy) -> bool:
    """Say whether what decides the risk is still a template: only outcomes to come say what it will be."""
    if not may_be_raised(spec, policy):
        return False
    telling = {*RECIPIENTS, *ADDRESSES} if spec.effect else set()
    if spec.amount:
        telling |= {spec.amount.amount, spec.amount.currency}
    templates = telling & template_fields(spec.parameters) & parameters.keys()
    return any(mark in str(parameters[name]) for name in templates for mark in _TEMPLATE_MARKS)


def _amount_of(spec: ActionSpec, parameters: JsonObject) -> Amount | None:
    if spec.amount is None:
        return None
    try:
        amount = abs(Decimal(str(parameters.get(spec.amount.amount))))
        return Amount(amount=amount, currency=str(parameters.get(spec.amount.currency)))
    except (InvalidOperation, ValidationError):
        # What cannot be read may be any amount.
        return UNREADABLE
