"""How much harm an action can do: declared with the action, raised by what it is asked to do, never lowered."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from maos.host_names import HostName

# As ISO 4217 writes it.
NO_CURRENCY = "XXX"
Currency = Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{3}$")]


class RiskLevel(StrEnum):
    """Risk of an action, from reading (low) to moving money or deleting (critical)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place in the order of risks, from 0."""
        return list(RiskLevel).index(self)


def riskier(first: RiskLevel, second: RiskLevel) -> RiskLevel:
    """Return the higher of two risks."""
    return max(first, second, key=lambda risk: risk.rank)


class Amount(BaseModel):
    """An amount of money."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Decimal = Field(ge=0, max_digits=18, decimal_places=8)
    currency: Currency

    @property
    def readable(self) -> bool:
        """Whether it is known how much it is."""
        return self.currency != NO_CURRENCY

    def may_pass(self, limit: "Amount") -> bool:
        """Say whether it is more than a limit; of another currency, nobody knows, and it counts as more."""
        return self.currency != limit.currency or self.amount > limit.amount


# It may be more than any limit.
UNREADABLE = Amount(amount=Decimal(0), currency=NO_CURRENCY)


class RiskFacts(BaseModel):
    """What an action's parameters say of the harm it can do."""

    model_config = ConfigDict(frozen=True)

    amount: Amount | None = None
    recipients: int = 0
    domains: frozenset[str] = Field(default=frozenset(), description="Domains of its recipients and addresses.")


class RiskRule(BaseModel):
    """Raises the risk of an action where every condition that it names holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    raise_to: RiskLevel
    actions: frozenset[str] | None = Field(default=None, description="Only these actions; left out: all.")
    amount_over: Amount | None = Field(default=None, description="It moves more than this.")
    recipients_over: int | None = Field(default=None, ge=0, description="It reaches more people than this.")
    outside: frozenset[HostName] | None = Field(default=None, description="It reaches a domain that is none of these.")

    @model_validator(mode="after")
    def _says_when(self) -> "RiskRule":
        if (self.actions, self.amount_over, self.recipients_over, self.outside) == (None, None, None, None):
            raise ValueError("a rule names at least one of actions, amount_over, recipients_over and outside")
        return self

    def holds(self, action: str, facts: RiskFacts) -> bool:
        """Say whether it raises the risk of an action with these facts."""
        return (
            (self.actions is None or action in self.actions)
            and (self.amount_over is None or (facts.amount is not None and facts.amount.may_pass(self.amount_over)))
            and (self.recipients_over is None or facts.recipients > self.recipients_over)
            and (self.outside is None or bool(facts.domains - self.outside))
        )


def raised_risk(declared: RiskLevel, action: str, facts: RiskFacts, rules: Iterable[RiskRule]) -> RiskLevel:
    """Return the risk of an action: what it was declared with, raised by every rule that holds."""
    risk = declared
    for rule in rules:
        if rule.holds(action, facts):
            risk = riskier(risk, rule.raise_to)
    return risk
