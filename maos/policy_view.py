"""A policy as people read and compare it: who waits, what raises a risk, who approves, until when."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from maos.approval_policy import EXPIRES_AFTER, ExpiryOutcome
from maos.autonomy import AutonomyLevel, needs_approval
from maos.policy import Policy, RiskPolicy, StageRule
from maos.risk import Amount, RiskLevel, RiskRule
from maos.risk_facts import DEFAULT_RULES

RUNS, WAITS = "runs", "waits"


class PolicyChange(BaseModel):
    """A key that two policies differ in."""

    model_config = ConfigDict(frozen=True)

    key: str
    before: str = Field(description="Empty: nothing is said.")
    after: str


def autonomy_rows() -> list[dict[str, str]]:
    """Return the whole table: for each level, whether an action of each risk runs or waits."""
    return [
        {"autonomy": level.value, **{risk.value: WAITS if needs_approval(level, risk) else RUNS for risk in RiskLevel}}
        for level in AutonomyLevel
    ]


def approvals_of(policy: Policy) -> list[dict[str, str]]:
    """Return how approvals of each risk are asked for, in words."""
    return [
        {"risk": risk.value, **_asked_in_words(risk, policy.approvals.get(risk, RiskPolicy()))} for risk in RiskLevel
    ]


def rules_in_words(policy: Policy) -> list[dict[str, str]]:
    """Return what raises the risk of an action: what always does, and what the organisation has added."""
    always = [{"of": "everybody", "rule": rule_in_words(rule)} for rule in DEFAULT_RULES]
    return always + [{"of": "the organisation", "rule": rule_in_words(rule)} for rule in policy.risk_rules]


def rule_in_words(rule: RiskRule) -> str:
    """Return when a rule holds and what it does."""
    when = [
        f"the action is {_either(rule.actions)}" if rule.actions is not None else "",
        f"it moves more than {_money(rule.amount_over)}" if rule.amount_over else "",
        f"it reaches more than {rule.recipients_over} people" if rule.recipients_over is not None else "",
        f"it reaches a domain other than {_either(rule.outside)}" if rule.outside is not None else "",
    ]
    return f"{rule.raise_to.value}, where {' and '.join(filter(None, when))}"


def facts_of(policy: Policy) -> dict[str, str]:
    """Return each key with its value in words."""
    facts = {
        "autonomy": policy.autonomy.value,
        "read_only_exempt": _yes(policy.read_only_exempt),
        "one_time_codes_required": _yes(policy.one_time_codes_required),
        "plan_approval": _yes(policy.plan_approval),
        "learning": _yes(policy.learning),
    }
    facts |= {f"teams.{name}": policy.level_of(name).value for name in sorted(policy.teams)}
    facts |= {f"risk_rules.{number}": rule_in_words(rule) for number, rule in enumerate(policy.risk_rules, start=1)}
    for row in approvals_of(policy):
        risk = row.pop("risk")
        facts |= {f"approvals.{risk}.{key}": words for key, words in row.items()}
    return facts


def changes(before: Policy, after: Policy) -> tuple[PolicyChange, ...]:
    """Return what differs."""
    old, new = facts_of(before), facts_of(after)
    return tuple(
        PolicyChange(key=key, before=old.get(key, ""), after=new.get(key, ""))
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    )


def lasting(time: timedelta) -> str:
    """Return a time as people say it: in hours, or in minutes below one."""
    hours = time.total_seconds() / 3600
    return f"{hours:g} h" if hours >= 1 else f"{hours * 60:g} min"


def _asked_in_words(risk: RiskLevel, of_risk: RiskPolicy) -> Mapping[str, str]:
    hours = of_risk.expires_after_hours
    life = timedelta(hours=float(hours)) if hours else EXPIRES_AFTER[risk]
    return {
        "approved_by": ", then ".join(_stage_in_words(stage, of_risk) for stage in of_risk.stages),
        "approvals": _needed_in_words(of_risk),
        "rejected_by": "one" if of_risk.rejections_needed == 1 else f"{of_risk.rejections_needed} people",
        "expires_after": lasting(life) + (" each stage" if len(of_risk.stages) > 1 else ""),
        "on_expiry": _expiry_in_words(of_risk),
        "reminders": ", ".join(f"{share:.0%}" for share in of_risk.reminders) or "none",
        "self_approval": _yes(of_risk.self_approval),
    }


def _stage_in_words(stage: StageRule, of_risk: RiskPolicy) -> str:
    over = f" where it moves more than {_money(stage.over)}" if stage.over else ""
    named = f"{stage.name}: " if len(of_risk.stages) > 1 else ""
    return f"{named}{stage.in_words}{over}"


def _needed_in_words(of_risk: RiskPolicy) -> str:
    always = sum(group.needed for stage in of_risk.stages if stage.over is None for group in stage.groups)
    every = sum(group.needed for stage in of_risk.stages for group in stage.groups)
    return str(always) if always == every else f"{always} to {every}"


def _expiry_in_words(of_risk: RiskPolicy) -> str:
    if of_risk.on_expiry is not ExpiryOutcome.ESCALATE:
        return of_risk.on_expiry.value
    last = of_risk.escalate_to.in_words
    return f"escalate to {f'the next stage, at the last to {last}' if len(of_risk.stages) > 1 else last}"


def _money(amount: Amount | None) -> str:
    return f"{amount.amount.normalize():f} {amount.currency}" if amount else ""


def _either(names: frozenset[str]) -> str:
    return " or ".join(sorted(names)) or "none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
