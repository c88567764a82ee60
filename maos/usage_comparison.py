"""Our usage beside a vendor's, by day and model: what differs by more than the vendor's own rounding."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from maos.vendor_usage import Measure

Key = tuple[date, str]
Figures = Mapping[Measure, Decimal]


@dataclass
class VendorSums:
    """What a vendor's rows come to, and what they leave open by being rounded."""

    figures: dict[Measure, Decimal] = field(default_factory=dict)
    unknown: dict[Measure, Decimal] = field(default_factory=dict)

    def add(self, figures: Mapping[Measure, tuple[Decimal, Decimal]]) -> None:
        """Add a row."""
        for measure, (figure, half_a_unit) in figures.items():
            self.figures[measure] = self.figures.get(measure, Decimal(0)) + figure
            self.unknown[measure] = self.unknown.get(measure, Decimal(0)) + half_a_unit


@dataclass(frozen=True)
class Difference:
    """A figure of a day and a model on which a vendor and we do not agree."""

    day: date
    model: str
    measure: Measure
    ours: Decimal
    vendors: Decimal

    @property
    def difference(self) -> Decimal:
        """What the vendor counts more than we do."""
        return self.vendors - self.ours


def differences(
    ours: Mapping[Key, Figures], vendors: Mapping[Key, VendorSums], measures: Iterable[Measure]
) -> Iterator[Difference]:
    """Yield what differs, by day and model; who has nothing of a day has zero."""
    compared = [measure for measure in Measure if measure in set(measures)]
    for key in sorted(ours.keys() | vendors.keys()):
        known, theirs = ours.get(key, {}), vendors.get(key, VendorSums())
        for measure in compared:
            left, right = known.get(measure, Decimal(0)), theirs.figures.get(measure, Decimal(0))
            if abs(left - right) > theirs.unknown.get(measure, Decimal(0)):
                yield Difference(*key, measure, left, right)
