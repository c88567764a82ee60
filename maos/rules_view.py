"""Rules as people read and compare them: key by key, in words."""

from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from maos.rules import Approvers, Rules
from maos.rules_merge import tightened


class Direction(StrEnum):
    """What a change of a key does."""

    TIGHTER = "tighter"
    LOOSER = "looser"
    BOTH = "tighter and looser"


class RuleChange(BaseModel):
    """A key that two sets of rules differ in."""

    model_config = ConfigDict(frozen=True)

    key: str
    before: str = Field(description="Empty: nothing is said.")
    after: str
    direction: Direction


def facts_of(rules: Rules) -> dict[str, str]:
    """Return each key that says something, with its value in words."""
    facts: dict[str, str | None] = {
        "engines": _listed(rules.engines),
        "actions": _listed(rules.actions),
        "forbidden_terms": _listed(rules.forbidden_terms or None),
        **{f"forbidden_topics.{topic}": _listed(terms) for topic, terms in rules.forbidden_topics.items()},
        **{f"limits.{name}": _number(value) for name, value in rules.limits},
        **{f"ask_first.{action}": _approvers(approvers) for action, approvers in rules.ask_first.items()},
        "email.recipients": _listed(rules.email.recipients),
        "email.domains": _listed(rules.email.domains),
        "webhooks.hosts": _listed(rules.webhooks.hosts),
        "stays_inside.fields": _listed(rules.stays_inside.fields or None),
        "stays_inside.patterns": _listed(rules.stays_inside.patterns or None),
    }
    return {key: value for key, value in facts.items() if value is not None}


def changes(before: Rules, after: Rules) -> tuple[RuleChange, ...]:
    """Return what differs, and in which direction."""
    old, new, meet = facts_of(before), facts_of(after), facts_of(tightened(before, after))
    return tuple(
        RuleChange(
            key=key,
            before=old.get(key, ""),
            after=new.get(key, ""),
            direction=_direction(meet.get(key), before=old.get(key), after=new.get(key)),
        )
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    )


def _direction(meet: str | None, *, before: str | None, after: str | None) -> Direction:
    if meet == after:
        return Direction.TIGHTER
    return Direction.LOOSER if meet == before else Direction.BOTH


def _approvers(approvers: Approvers) -> str:
    roles = " or ".join(sorted(approvers.roles)) or "nobody"
    return roles if approvers.users is None else f"{roles}, of: {_listed(approvers.users)}"


def _number(value: object) -> str | None:
    return None if value is None else f"{value:f}" if hasattr(value, "quantize") else str(value)


def _listed(values: Iterable[str] | None) -> str | None:
    if values is None:
        return None
    return ", ".join(sorted(map(str, values))) or "none"
