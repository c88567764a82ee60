"""What stands against a policy besides its form: names that nobody knows, and approvals that nobody could give."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from maos.approval_policy import ExpiryOutcome, Group
from maos.policy import Policy, RiskPolicy

# Roles of each member of an organisation, by email address.
Members = Mapping[str, frozenset[str]]


def unknown_action_faults(policy: Policy, actions: Collection[str]) -> list[str]:
    """Return a fault for each action that its rules name and nobody knows."""
    known = ", ".join(sorted(actions))
    return [
        f"risk_rules.{number}.actions: {name!r} is not accepted; allowed: {known}"
        for number, rule in enumerate(policy.risk_rules, start=1)
        for name in sorted((rule.actions or frozenset()) - set(actions))
    ]


def member_faults(policy: Policy, members: Members) -> list[str]:
    """Return a fault for each person who is no member, and for each stage that the members cannot fill.

    One person counts once in all stages of an approval: they have one vote.
    """
    faults = []
    for risk, of_risk in sorted(policy.approvals.items(), key=lambda pair: pair[0].rank):
        at = f"approvals.{risk.value}"
        strangers = list(_strangers(at, of_risk, members))
        faults += strangers or [*_unfilled(at, of_risk, members), *_unreached(at, of_risk, members)]
    return faults


def _groups(at: str, of_risk: RiskPolicy) -> Iterator[tuple[str, Group]]:
    for number, stage in enumerate(of_risk.stages, start=1):
        for place, group in enumerate(stage.groups, start=1):
            yield f"{at}.stages.{number}.groups.{place}", group
    yield f"{at}.escalate_to", of_risk.escalate_to


def _strangers(at: str, of_risk: RiskPolicy, members: Members) -> Iterator[str]:
    for place, group in _groups(at, of_risk):
        for email in sorted((group.users or frozenset()) - members.keys()):
            yield f"{place}.users: {email!r} is not accepted; allowed: members of the organisation"


def _unfilled(at: str, of_risk: RiskPolicy, members: Members) -> list[str]:
    """Return the first stage for which, beside those before it, there are too few people."""
    seats: list[list[str]] = []
    for number, stage in enumerate(of_risk.stages, start=1):
        for group in stage.groups:
            seats += [_able(group, members)] * group.needed
        if not _seated(seats):
            return [
                f"{at}.stages.{number}: stage {stage.name!r} takes {stage.in_words}, each person once in all stages; "
                "the organisation has too few such members"
            ]
    return []


def _unreached(at: str, of_risk: RiskPolicy, members: Members) -> list[str]:
    group = of_risk.escalate_to
    if of_risk.on_expiry is not ExpiryOutcome.ESCALATE or len(_able(group, members)) >= group.needed:
        return []
    return [f"{at}.escalate_to: takes {group.in_words}; the organisation has too few such members"]


def _able(group: Group, members: Members) -> list[str]:
    return sorted(email for email, roles in members.items() if group.includes(email, roles))


def _seated(seats: Iterable[list[str]]) -> bool:
    """Say whether each seat can be given to a person of its own, by paths that move those already seated."""
    seated: dict[str, list[str]] = {}

    def seat(able: list[str], asked: set[str]) -> bool:
        for email in able:
            if email in asked:
                continue
            asked.add(email)
            if email not in seated or seat(seated[email], asked):
                seated[email] = able
                return True
        return False

    return all(seat(able, set()) for able in seats)
