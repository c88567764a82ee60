"""Reading the document of a policy: YAML; every fault is named at once, with its line, value and what is allowed."""

import json
from collections.abc import Iterator, Mapping, Sequence

from iso4217 import Currency
from pydantic import ValidationError

from maos.approval_policy import DecidingRole, ExpiryOutcome, Group
from maos.autonomy import AutonomyLevel
from maos.errors import PolicyRefused
from maos.policy import Policy, RiskPolicy, StageRule, TeamPolicy
from maos.risk import Amount, RiskLevel, RiskRule
from maos.rules_yaml import Block, BlockFault, Place, read_block

MAX_DOCUMENT_BYTES = 64_000
_DEEPEST = 10
# Those of ISO 4217 that are no money have no smallest unit.
CURRENCIES = frozenset(currency.code for currency in Currency if currency.exponent is not None)

_WHOLE = "a whole number from {} to {}".format
_BOOLEAN = "true or false"
_RISKS = ", ".join(RiskLevel)
_MONEY = "a mapping of amount, currency: over: {amount: 1000, currency: EUR}"
# What each key takes; a star stands for a name of the document's own or a number in a list.
_ALLOWED: Mapping[str, str] = {
    "": f"a mapping of {', '.join(Policy.model_fields)}",
    "autonomy": f"one of {', '.join(AutonomyLevel)}",
    "read_only_exempt": _BOOLEAN,
    "one_time_codes_required": _BOOLEAN,
    "plan_approval": _BOOLEAN,
    "learning": _BOOLEAN,
    "teams": "a mapping of names of teams in small letters, digits and dashes",
    "teams.*": f"a mapping of {', '.join(TeamPolicy.model_fields)}",
    "teams.*.autonomy": f"one of {', '.join(AutonomyLevel)}",
    "risk_rules": "a list of at most 100 rules",
    "risk_rules.*": f"a mapping of {', '.join(RiskRule.model_fields)}",
    "risk_rules.*.raise_to": f"one of {_RISKS}",
    "risk_rules.*.actions": "a list of names of actions",
    "risk_rules.*.amount_over": _MONEY,
    "risk_rules.*.recipients_over": "a whole number from 0",
    "risk_rules.*.outside": "a list of domains, such as example.com",
    "approvals": f"a mapping of {_RISKS}",
    "approvals.*": f"a mapping of {', '.join(RiskPolicy.model_fields)}",
    "approvals.*.stages": "a list of 1 to 8 stages",
    "approvals.*.stages.*": f"a mapping of {', '.join(StageRule.model_fields)}",
    "approvals.*.stages.*.name": "a text of 1 to 60 characters",
    "approvals.*.stages.*.over": _MONEY,
    "approvals.*.stages.*.groups": "a list of at least one group",
    "approvals.*.rejections_needed": _WHOLE(1, 20),
    "approvals.*.expires_after_hours": "a number above 0, at most 8760",
    "approvals.*.on_expiry": f"one of {', '.join(ExpiryOutcome)}; silence never approves",
    "approvals.*.reminders": "a list of at most 5 shares of its life between 0 and 1, such as [0.5, 0.8]",
    "approvals.*.self_approval": _BOOLEAN,
}
_GROUP: Mapping[str, str] = {
    "": f"a mapping of {', '.join(Group.model_fields)}",
    "roles": f"a list of {', '.join(DecidingRole)}",
    "users": "a list of email addresses",
    "needed": _WHOLE(1, 20),
}
_PRICE: Mapping[str, str] = {
    "amount": "a number from 0 with at most eight decimals",
    "currency": "a currency of ISO 4217, such as EUR",
}


def parse_policy(text: str) -> Policy:
    """Read a document.

    Raises:
        PolicyRefused: with every fault, not the first.
    """
    if (size := len(text.encode(errors="replace"))) > MAX_DOCUMENT_BYTES:
        raise PolicyRefused([f"the document has {size:,} bytes of UTF-8; at most {MAX_DOCUMENT_BYTES:,} are allowed"])
    read = read_block(text, deepest=_DEEPEST)
    if read.faults:
        raise PolicyRefused(_in_words(read.faults))
    try:
        # As JSON: its strict mode takes a list for a set, and a word for nothing but a word.
        policy = Policy.model_validate_json(json.dumps(read.data if read.data is not None else {}), strict=True)
    except ValidationError as error:
        raise PolicyRefused(_in_words(_faults_of(error, read))) from None
    if faults := list(_currency_faults(policy, read)):
        raise PolicyRefused(_in_words(faults))
    return policy


def _faults_of(error: ValidationError, read: Block) -> list[BlockFault]:
    found = error.errors(include_url=False)
    # Of a list with faulty items, pydantic says besides that it is too short: only the good ones count.
    return [
        _fault_of(fault["loc"], fault["type"], fault["msg"], read)
        for fault in found
        if fault["type"] != "too_short" or not any(_is_within(other["loc"], fault["loc"]) for other in found)
    ]


def _is_within(place: Place, other: Place) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _fault_of(loc: Place, kind: str, words: str, read: Block) -> BlockFault:
    place = tuple(part for part in loc if part != "[key]")
    while place and place not in read.values:
        place = place[:-1]
    value = read.values.get(place)
    if value is None:
        return BlockFault(0, f"nothing is not accepted; allowed: {_ALLOWED['']}")
    if kind == "extra_forbidden" or loc[-1:] == ("[key]",):
        at = _at(place[:-1])
        return BlockFault(
            value.key_line, f"{at}key {str(place[-1])!r} is not accepted; allowed: {_allowed(place[:-1])}"
        )
    if kind == "value_error":
        return BlockFault(value.line, f"{_at(place)}{words.removeprefix('Value error, ')}")
    if kind == "missing":
        return BlockFault(value.line, f"{_at(place)}{str(loc[-1])!r} is missing; it takes {_allowed(loc)}")
    return BlockFault(value.line, f"{_at(place)}{value.shown} is not accepted; allowed: {_allowed(place)}")


def _at(place: Place) -> str:
    return f"{path_of(place)}: " if place else ""


def path_of(place: Place) -> str:
    """Return a place in a document as people write it; lists count from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in place)


def _allowed(place: Place) -> str:
    starred = [part if isinstance(part, str) else "*" for part in place]
    if starred[:1] in (["approvals"], ["teams"]) and len(starred) > 1:
        starred[1] = "*"
    if starred[-1:] and starred[-1] in _PRICE:
        return _PRICE[starred[-1]]
    within_group = _within_group(starred)
    if within_group is not None:
        return _GROUP.get(within_group, _GROUP[""])
    while starred and ".".join(starred) not in _ALLOWED:
        starred.pop()
    return _ALLOWED[".".join(starred)]


def _within_group(starred: Sequence[str]) -> str | None:
    """Return which key of a group a place is; an empty text for the group itself."""
    if "escalate_to" in starred:
        return ".".join(starred[starred.index("escalate_to") + 1 :][:1])
    if "groups" in starred[:-1]:
        return ".".join(starred[starred.index("groups") + 2 :][:1])
    return None


def _currency_faults(policy: Policy, read: Block) -> Iterator[BlockFault]:
    for place, amount in amounts_in(policy):
        if amount.currency not in CURRENCIES:
            here = (*place, "currency")
            value = read.values[here]
            yield BlockFault(value.line, f"{_at(here)}{value.shown} is not accepted; allowed: {_PRICE['currency']}")


def amounts_in(policy: Policy) -> Iterator[tuple[Place, Amount]]:
    """Return every amount of a policy with its place."""
    for number, rule in enumerate(policy.risk_rules):
        if rule.amount_over:
            yield ("risk_rules", number, "amount_over"), rule.amount_over
    for risk, of_risk in policy.approvals.items():
        for number, stage in enumerate(of_risk.stages):
            if stage.over:
                yield ("approvals", risk.value, "stages", number, "over"), stage.over


def _in_words(faults: Sequence[BlockFault]) -> list[str]:
    return [f"line {fault.line + 1}: {fault.reason}" for fault in sorted(set(faults))]
