"""Writes orders.csv: two years of orders of an invented coffee wholesaler, with the dirt that such files have.

Run it without arguments. The result is the same on every machine: only `Random.random` is drawn from, whose sequence
Python guarantees.
"""

import csv
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import TextIO, TypeVar

SEED = 20240101
FIRST, LAST = date(2024, 1, 1), date(2025, 12, 31)
COLUMNS = (
    "order_id", "order_date", "region", "product", "channel", "quantity", "unit_price", "discount_pct", "revenue",
)  # fmt: skip

# Name, price, weight in the draw.
PRODUCTS: dict[str, tuple[str, int]] = {
    "Espresso beans 1 kg": ("21.90", 24),
    "Filter coffee 500 g": ("9.80", 22),
    "Decaf beans 1 kg": ("23.50", 7),
    "Organic blend 250 g": ("7.40", 14),
    "Cold brew, 12 bottles": ("28.80", 9),
    "Cocoa powder 1 kg": ("13.60", 8),
    "Oat drink, 6 litres": ("10.50", 11),
    "Barista kit": ("64.00", 5),
}
REGIONS: dict[str, int] = {"North": 27, "South": 22, "West": 21, "East": 17, "Central": 13}
CHANNELS: dict[str, int] = {"Online shop": 38, "Field sales": 33, "Phone": 11, "Partner": 18}
# Orders a day, from January to December.
SEASON = (4.6, 4.5, 4.9, 4.8, 5.0, 4.4, 4.0, 4.1, 5.2, 5.8, 7.1, 7.4)
# Growth over a year of a region; the shop gains from the field as time goes by.
GROWTH: dict[str, float] = {"North": 1.06, "South": 1.14, "West": 1.27, "East": 0.94, "Central": 1.09}
WARM_MONTHS = {5, 6, 7, 8, 9}

Row = list[str]
Name = TypeVar("Name", bound=str)


def draw(random: Random, weights: dict[Name, float]) -> Name:
    """Return one of the names, by their weights."""
    point = random.random() * sum(weights.values())
    for name, weight in weights.items():
        point -= weight
        if point < 0:
            return name
    return name


def orders(random: Random) -> Iterator[Row]:
    """Yield clean orders, in the order of their days."""
    number, day = 100_000, FIRST
    while day <= LAST:
        years = (day - FIRST).days / 366
        expected = SEASON[day.month - 1] * (0.35 if day.weekday() >= 5 else 1.26) * 1.09**years
        for _ in range(int(expected + random.random())):
            number += 1 + int(random.random() * 3)
            yield order(random, number, day, years)
        day += timedelta(days=1)


def order(random: Random, number: int, day: date, years: float) -> Row:
    """Return one order of a day."""
    region = draw(random, {name: weight * GROWTH[name] ** years for name, weight in REGIONS.items()})
    drift = {"Online shop": 1.18, "Field sales": 0.9}
    channel = draw(random, {name: weight * drift.get(name, 1.0) ** years for name, weight in CHANNELS.items()})
    product = draw(random, {name: weight * season(name, day) for name, (_, weight) in PRODUCTS.items()})
    quantity = 1 + int(random.random() ** 2.2 * (18 if product == "Barista kit" else 90))
    price = Decimal(PRODUCTS[product][0]) * (Decimal("1.04") if day.year == 2025 else 1)
    price = price.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    discount = 10 if quantity >= 60 else 5 if quantity >= 30 else 0
    revenue = (quantity * price * (100 - discount) / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return [
        f"SO-{number}",
        day.isoformat(),
        region,
        product,
        channel,
        str(quantity),
        str(price),
        str(discount),
        str(revenue),
    ]


def season(product: str, day: date) -> float:
    """Return how much a product is wanted at a time of the year."""
    warm = day.month in WARM_MONTHS
    if product == "Cold brew, 12 bottles":
        return 2.4 if warm else 0.4
    return 0.5 if product == "Cocoa powder 1 kg" and warm else 1.0


def soiled(random: Random, rows: list[Row]) -> list[Row]:
    """Return the rows with the faults of a real export: missing, unreadable and repeated values."""
    faults: dict[int, tuple[int, str]] = {}
    for column, texts in DIRT.items():
        for text in texts:
            faults[int(random.random() * len(rows))] = COLUMNS.index(column), text
    for index, (place, fault) in faults.items():
        rows[index][place] = fault
    for index in sorted((int(random.random() * len(rows)) for _ in range(REPEATED)), reverse=True):
        rows.insert(index + 1, list(rows[index]))
    return rows


REPEATED = 14
DIRT: dict[str, tuple[str, ...]] = {
    "region": ("",) * 17,
    "channel": ("",) * 5,
    "quantity": ("n/a", "ten", "12 pcs", "?", ""),
    "revenue": ("n/a", "1.234,50", "see invoice", "#REF!", "", "pending"),
    "order_date": ("2025-02-30", "31/04/2025", "unknown", "", "2024-13-05", "yesterday"),
}


def write(target: TextIO) -> None:
    """Write the whole file."""
    random = Random(SEED)  # noqa: S311 - invented orders need no secrecy
    rows = soiled(random, list(orders(random)))
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("orders.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        write(file)
