"""Who decides an approval, how many of them, until when, and what becomes of silence: copied onto each request."""

from collections.abc import Mapping, Set
from datetime import timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from maos.mail_addresses import MailAddress
from maos.risk import RiskLevel


class DecidingRole(StrEnum):
    """A role in an organisation that may decide approvals."""

    OWNER = "owner"
    REVIEWER = "reviewer"


class ExpiryOutcome(StrEnum):
    """What becomes of an action that nobody has decided in time; silence never approves anything."""

    REJECT = "reject"
    ESCALATE = "escalate"
    SKIP = "skip"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Value):
    """People of whom a stage needs some: those with one of the roles and, where people are named, only they."""

    roles: frozenset[DecidingRole] = frozenset(DecidingRole)
    users: frozenset[MailAddress] | None = None
    needed: int = Field(default=1, ge=1, le=20, description="How many of them have to approve.")

    def includes(self, email: str, roles: Set[str]) -> bool:
        """Say whether a person belongs to it."""
        return bool(roles & self.roles) and (self.users is None or email in self.users)

    @property
    def who(self) -> str:
        """Who belongs to it."""
        return listed(self.users if self.users is not None else self.roles)

    @property
    def in_words(self) -> str:
        """Whom it takes."""
        return f"{self.needed} of {self.who}" if self.needed > 1 else self.who


class Stage(_Value):
    """One round of an approval: the next begins when every group of this one has approved."""

    name: str = Field(default="approval", min_length=1, max_length=60)
    groups: tuple[Group, ...] = Field(default=(Group(),), min_length=1)

    @property
    def in_words(self) -> str:
        """Whom it takes."""
        return " and ".join(group.in_words for group in self.groups)


EXPIRES_AFTER: Mapping[RiskLevel, timedelta] = {
    RiskLevel.LOW: timedelta(hours=72),
    RiskLevel.MEDIUM: timedelta(hours=24),
    RiskLevel.HIGH: timedelta(hours=8),
    RiskLevel.CRITICAL: timedelta(hours=4),
}
REMINDERS = (0.5, 0.8)


class ApprovalPolicy(BaseModel):
    """The policy as it was when an approval was asked for: a later change never weakens an open one."""

    model_config = ConfigDict(frozen=True)

    roles: frozenset[str] = Field(default=frozenset(DecidingRole), description="In every stage, one of these.")
    users: frozenset[str] | None = Field(default=None, description="In every stage, where people are named, only they.")
    self_approval: bool = False
    version: int = Field(default=0, description="Of the organisation's policy; 0: it has set none.")
    stages: tuple[Stage, ...] = Field(default=(Stage(),), min_length=1)
    rejections_needed: int = Field(default=1, ge=1, description="How many rejections it takes; 1: one is a veto.")
    expires_after: timedelta | None = Field(default=None, description="Of each stage; empty: by the risk.")
    on_expiry: ExpiryOutcome = ExpiryOutcome.REJECT
    escalate_to: Group = Group(roles=frozenset({DecidingRole.OWNER}))
    reminders: tuple[float, ...] = Field(default=REMINDERS, description="At which shares of its life.")
    codes_required: bool = Field(default=False, description="Whether a reviewer shows a one-time code.")
    autonomy: str | None = Field(default=None, description="The level at which it had to be asked.")
    autonomy_table: Mapping[str, list[str]] = Field(
        default_factory=dict, description="Which risks ran unasked at each level, at that time."
    )

    def life_of(self, risk: RiskLevel) -> timedelta:
        """Return how long each stage stays open."""
        return self.expires_after or EXPIRES_AFTER[risk]

    @property
    def approvals_needed(self) -> int:
        """How many people have to approve, all stages together."""
        return sum(group.needed for stage in self.stages for group in stage.groups)

    @property
    def in_words(self) -> str:
        """Whom it takes."""
        if self.users is not None:
            return listed(self.users)
        if len(self.stages) == 1 and self.stages[0] == Stage():
            return listed(self.roles)
        return ", then ".join(stage.in_words for stage in self.stages)

    def narrowed(self, other: "ApprovalPolicy") -> "ApprovalPolicy":
        """Return it with the people of another policy only: who may, must be allowed by both."""
        named = [users for users in (self.users, other.users) if users is not None]
        return self.model_copy(
            update={
                "roles": self.roles & other.roles,
                "users": frozenset.intersection(*named) if named else None,
                "self_approval": self.self_approval and other.self_approval,
            }
        )


def deciders_of(policy: ApprovalPolicy) -> Mapping[str, object]:
    """Return the part of a policy that says who decides: equal where the same people may, in the same way."""
    return policy.model_dump(
        include={"roles", "users", "stages", "rejections_needed", "self_approval", "codes_required"}
    )


def listed(names: Set[str]) -> str:
    """Return names as people list alternatives."""
    return " or ".join(sorted(map(str, names)))
