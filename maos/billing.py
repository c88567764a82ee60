"""What an organisation owes for a month: line items, corrections of earlier months, and totals that lose no digit.

Amounts are sums of entries, with eight decimals, never rounded. Only two figures are: a rate, which is an amount
divided by its quantity, to eight decimals, half to even; and the payable total, to the cent, half up.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_serializer

from maos.actions import JsonObject
from maos.billing_months import BillingMonth
from maos.canonical import digest_of
from maos.errors import MaosError

_MILLION = 1_000_000
_STORED = Decimal("1e-8")
_CENT = Decimal("0.01")

# In JSON as text without an exponent: a number there may lose digits.
Amount = Annotated[Decimal, PlainSerializer(lambda amount: f"{amount:f}", return_type=str, when_used="json")]


class NotBilled(MaosError):
    """A month cannot be closed, or its statement cannot be relied on; the reason says why."""

    def __init__(self, org: str, month: str, reason: str) -> None:
        super().__init__(org, month, reason)
        self.org = org
        self.month = month
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.org}, {self.month}: {self.reason}"


class BillingUnit(StrEnum):
    """What the entries of a line are counted in; the database decides it as it adds them."""

    TOKEN = "token"  # noqa: S105 - of text, not of access
    CALL = "call"
    CEILING = "ceiling"
    CORRECTION = "correction"

    @property
    def label(self) -> str:
        """The unit of a line, as people read it."""
        return _UNITS[self]

    def quantity_of(self, counted: int) -> Decimal:
        """Return what was counted in the unit of a line."""
        return Decimal(counted) / _MILLION if self is BillingUnit.TOKEN else Decimal(counted)


_UNITS: dict[BillingUnit, str] = {
    BillingUnit.TOKEN: "million tokens",
    BillingUnit.CALL: "call",
    BillingUnit.CEILING: "call at its ceiling",
    BillingUnit.CORRECTION: "correction",
}


class StatementLine(BaseModel):
    """Entries of one kind, added up."""

    model_config = ConfigDict(frozen=True)

    corrects: str | None = Field(description="The earlier month that it belongs to; None: this one.")
    engine: str = Field(description="The engine by the name that clients know.")
    action: str
    unit: str
    quantity: Amount
    rate_usd: Amount | None = Field(description="The amount for one unit, rounded; None where nothing was counted.")
    amount_usd: Amount
    entries: int

    @classmethod
    def of(
        cls,
        unit: BillingUnit,
        *,
        corrects: date | None,
        engine: str,
        action: str,
        counted: int,
        amount: Decimal,
        entries: int,
    ) -> Self:
        """Return the line of entries that were added up."""
        quantity = unit.quantity_of(counted)
        rate = (amount / quantity).quantize(_STORED, ROUND_HALF_EVEN) if quantity else None
        return cls(
            corrects=str(BillingMonth(corrects)) if corrects else None,
            engine=engine,
            action=action,
            unit=unit.label,
            quantity=quantity,
            rate_usd=rate,
            amount_usd=amount,
            entries=entries,
        )


class Statement(BaseModel):
    """What an organisation owes for a month; numbered once the month is closed, and the same from then on."""

    model_config = ConfigDict(frozen=True)

    org: str
    org_name: str
    month: str
    number: int | None = Field(description="Counted for each organisation; None: the month is open.")
    closed_at: datetime | None
    lines: tuple[StatementLine, ...]

    @field_serializer("closed_at", when_used="json")
    def _in_utc(self, moment: datetime | None) -> str | None:
        return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" if moment else None

    @property
    def reference(self) -> str | None:
        """Return the number as people quote it."""
        return f"{self.org}-{self.number:04d}" if self.number else None

    @property
    def usage(self) -> tuple[StatementLine, ...]:
        """Lines of what was used in the month."""
        return tuple(line for line in self.lines if line.corrects is None)

    @property
    def corrections(self) -> tuple[StatementLine, ...]:
        """Lines that belong to earlier months."""
        return tuple(line for line in self.lines if line.corrects is not None)

    @property
    def entries(self) -> int:
        """How many entries it adds up."""
        return sum(line.entries for line in self.lines)

    @property
    def usage_usd(self) -> Decimal:
        """What was used in the month."""
        return _sum(self.usage)

    @property
    def corrections_usd(self) -> Decimal:
        """What earlier months cost more or less than was billed for them."""
        return _sum(self.corrections)

    @property
    def total_usd(self) -> Decimal:
        """What is owed, with every digit."""
        return _sum(self.lines)

    @property
    def payable_usd(self) -> Decimal:
        """What is owed, to the cent: rounded once, here, half up."""
        return self.total_usd.quantize(_CENT, ROUND_HALF_UP)

    def document(self) -> JsonObject:
        """Return everything that the statement says, as plain JSON."""
        totals = {
            "reference": self.reference,
            "currency": "USD",
            "usage_usd": f"{self.usage_usd:f}",
            "corrections_usd": f"{self.corrections_usd:f}",
            "total_usd": f"{self.total_usd:f}",
            "payable_usd": f"{self.payable_usd:f}",
            "entries": self.entries,
        }
        return self.model_dump(mode="json") | totals

    @property
    def digest(self) -> str:
        """The SHA-256 of the document in its canonical form."""
        return digest_of(self.document())


def _sum(lines: Iterable[StatementLine]) -> Decimal:
    return sum((line.amount_usd for line in lines), start=Decimal(0))
