"""Notices of approvals and budgets: who is told what, by which way, when, and when again where that failed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.approvals import Approval
from maos.decisions import Reviewer, may_decide
from maos.risk import RiskLevel
from maos.roles import Role
from maos.votes import Vote, escalated_to

# What is urgent is told at once; of everything else a person hears once in so long.
QUIET = timedelta(minutes=5)
# Who sends may die on the way: so long after it began, another tries again.
CLAIM = timedelta(minutes=1)
MOST_ATTEMPTS = 12
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_URGENT_FROM = RiskLevel.HIGH
# Who can raise a budget, and who looks after the runs that will wait when it is used up.
_HEAR_OF_BUDGETS = frozenset({Role.OWNER, Role.OPERATOR})
# That of the question which a run asks when a budget is used up: a route takes both or neither.
BUDGET_RISK = RiskLevel.MEDIUM


class NoticeKind(StrEnum):
    """What is told: of an approval, or that what is spent of a budget has reached a threshold."""

    REQUESTED = "requested"
    REMINDER = "reminder"
    ESCALATED = "escalated"
    EXPIRED = "expired"
    THRESHOLD = "threshold"


class Channel(StrEnum):
    """The way by which somebody is told."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"


class Person(BaseModel):
    """A member of an organisation."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    email: str
    roles: frozenset[str]

    @property
    def reviewer(self) -> Reviewer:
        """The person, as the rules of decisions read them."""
        return Reviewer(email=self.email, roles=self.roles)


class Route(BaseModel):
    """How a person, or everybody of a role, is told."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    role: str | None = None
    user_id: UUID | None = None
    minimum_risk: RiskLevel = RiskLevel.LOW
    channel: Channel
    target: str | None = Field(default=None, description="A block's name, or an address; empty: the person's own.")

    def leads_to(self, person: Person) -> bool:
        """Say whether it is for this person."""
        return self.user_id == person.id or self.role in person.roles


class Recipient(BaseModel):
    """Where one message goes."""

    model_config = ConfigDict(frozen=True)

    channel: Channel
    address: str = Field(description="Of a mailbox; or the name of the block that knows it.")
    user_id: UUID | None = Field(default=None, description="Whose it is; empty: it is shared.")


def addressed(kind: NoticeKind, approval: Approval, people: Iterable[Person], votes: Sequence[Vote]) -> list[Person]:
    """Return who is told: of its end who asked, of everything else who may decide now and has not voted."""
    if kind is NoticeKind.EXPIRED:
        return [person for person in people if person.email in {approval.initiator, *approval.acting_for}]
    able = [person for person in people if may_decide(approval, person.reviewer, votes)]
    if kind is not NoticeKind.ESCALATED:
        return able
    groups = escalated_to(approval)
    return [person for person in able if any(group.includes(person.email, person.roles) for group in groups)]


def told_of_budgets(people: Iterable[Person]) -> list[Person]:
    """Return who is told that a budget comes to its end."""
    return [person for person in people if person.roles & _HEAR_OF_BUDGETS]


def recipients_of(people: Iterable[Person], routes: Sequence[Route], risk: RiskLevel) -> list[Recipient]:
    """Return where notices of this risk go; a person whom no route names has them by email."""
    found = {(each.channel, each.address): each for person in people for each in _ways(person, routes, risk)}
    return list(found.values())


def _ways(person: Person, routes: Sequence[Route], risk: RiskLevel) -> Iterator[Recipient]:
    own = [route for route in routes if route.leads_to(person)]
    if not own:
        yield Recipient(channel=Channel.EMAIL, address=person.email, user_id=person.id)
    for route in own:
        if risk.rank >= route.minimum_risk.rank:
            whose = person.id if route.target is None or route.user_id else None
            yield Recipient(channel=route.channel, address=route.target or person.email, user_id=whose)


def is_urgent(kind: NoticeKind, risk: RiskLevel) -> bool:
    """Say whether it is told at once, and not with others."""
    return kind in {NoticeKind.REQUESTED, NoticeKind.ESCALATED} and risk.rank >= _URGENT_FROM.rank


def reminder_at(approval: Approval, *, sent: int) -> datetime | None:
    """Return when the open stage reminds next, or None when it has done so often enough."""
    shares = sorted(approval.policy.reminders)
    if sent >= len(shares):
        return None
    return approval.expires_at - approval.policy.life_of(approval.risk) * (1 - shares[sent])


def reminders_due(approval: Approval, *, sent: int, now: datetime) -> int:
    """Return how many of its reminders are due by now: those that were missed are made up for by one."""
    while (at := reminder_at(approval, sent=sent)) and at <= now:
        sent += 1
    return sent


def pause_after(attempts: int) -> timedelta:
    """Return how long a channel that failed so often in a row is let alone."""
    return min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), _LONGEST_PAUSE)
