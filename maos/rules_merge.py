"""Tightening: the rules that two documents leave, and what of the second would be looser than the first."""

from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import TypeVar

from maos.rules import Approvers, EmailRules, Limits, Rules, StaysInside, WebhookRules

T = TypeVar("T")
N = TypeVar("N", int, Decimal)


def tightened(project: Rules, organization: Rules) -> Rules:
    """Return the rules under which only that is allowed which both allow."""
    return Rules(
        engines=_both(project.engines, organization.engines),
        actions=_both(project.actions, organization.actions),
        forbidden_terms=project.forbidden_terms | organization.forbidden_terms,
        forbidden_topics=_topics(project.forbidden_topics, organization.forbidden_topics),
        limits=_limits(project.limits, organization.limits),
        ask_first=_asked(project.ask_first, organization.ask_first),
        email=_email(project.email, organization.email),
        webhooks=WebhookRules(hosts=_both(project.webhooks.hosts, organization.webhooks.hosts)),
        stays_inside=StaysInside(
            fields=project.stays_inside.fields | organization.stays_inside.fields,
            patterns=project.stays_inside.patterns | organization.stays_inside.patterns,
        ),
    )


def _both(one: frozenset[T] | None, other: frozenset[T] | None) -> frozenset[T] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _topics(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    nothing: frozenset[str] = frozenset()
    return {name: one.get(name, nothing) | other.get(name, nothing) for name in sorted(one.keys() | other.keys())}


def lower(one: N | None, other: N | None) -> N | None:
    """Return the lower of two limits; one that is left out limits nothing."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _limits(one: Limits, other: Limits) -> Limits:
    return Limits(
        steps=lower(one.steps, other.steps),
        parallelism=lower(one.parallelism, other.parallelism),
        cost_usd=lower(one.cost_usd, other.cost_usd),
        wall_time_seconds=lower(one.wall_time_seconds, other.wall_time_seconds),
        calls=lower(one.calls, other.calls),
    )


def _asked(one: Mapping[str, Approvers], other: Mapping[str, Approvers]) -> dict[str, Approvers]:
    anybody = Approvers()
    pairs = {name: (one.get(name, anybody), other.get(name, anybody)) for name in sorted(one.keys() | other.keys())}
    return {
        name: Approvers(roles=first.roles & second.roles, users=_both(first.users, second.users))
        for name, (first, second) in pairs.items()
    }


def _email(one: EmailRules, other: EmailRules) -> EmailRules:
    if not one.limited or not other.limited:
        return other if other.limited else one
    # An address that one names, of a domain that the other names, is allowed by both.
    named = (one.recipients or frozenset()) | (other.recipients or frozenset())
    return EmailRules(
        recipients=frozenset(address for address in named if one.allows(address) and other.allows(address)),
        domains=(one.domains or frozenset()) & (other.domains or frozenset()),
    )


def looser_faults(project: Rules, organization: Rules) -> list[str]:
    """Return what an organisation's rules would allow that its project's do not: key, value, what is allowed."""
    return [
        *_beyond("engines", organization.engines, project.engines),
        *_beyond("actions", organization.actions, project.actions),
        *_higher(project.limits, organization.limits),
        *(
            fault
            for name, approvers in sorted(organization.ask_first.items())
            for fault in _wider(f"ask_first.{name}", approvers, project.ask_first.get(name, Approvers()))
        ),
        *_unreachable(project.email, organization.email),
        *_beyond("webhooks.hosts", organization.webhooks.hosts, project.webhooks.hosts),
    ]


def _beyond(key: str, asked: Set[T] | None, allowed: Set[T] | None) -> list[str]:
    if asked is None or allowed is None:
        return []
    return [_fault(key, value, _listed(allowed)) for value in sorted(map(str, asked - allowed))]


def _higher(project: Limits, organization: Limits) -> list[str]:
    faults = []
    for name in Limits.model_fields:
        most, asked = getattr(project, name), getattr(organization, name)
        if most is not None and asked is not None and asked > most:
            faults.append(_fault(f"limits.{name}", asked, f"at most {most}, as the project's rules say"))
    return faults


def _wider(key: str, asked: Approvers, allowed: Approvers) -> list[str]:
    # Roles that are left out are those of the project.
    roles = asked.roles - allowed.roles if "roles" in asked.model_fields_set else frozenset()
    faults = [_fault(f"{key}.roles", role.value, _listed(allowed.roles)) for role in sorted(roles)]
    faults += _beyond(f"{key}.users", asked.users, allowed.users)
    left = _asked({key: allowed}, {key: asked})[key]
    if not faults and left.nobody:
        faults.append(f"{key}: leaves nobody who could approve")
    return faults


def _unreachable(project: EmailRules, organization: EmailRules) -> list[str]:
    if not project.limited:
        return []
    allowed = f"addresses {_listed(project.recipients or ())}; domains {_listed(project.domains or ())}"
    faults = [
        _fault("email.recipients", address, allowed)
        for address in sorted(organization.recipients or ())
        if not project.allows(address)
    ]
    domains = (organization.domains or frozenset()) - (project.domains or frozenset())
    return faults + [_fault("email.domains", domain, allowed) for domain in sorted(domains)]


def _fault(key: str, value: object, allowed: str) -> str:
    return f"{key}: {str(value)!r} is looser than the project's rules; allowed: {allowed}"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values))) or "none"
