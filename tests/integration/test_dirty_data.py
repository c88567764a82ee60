"""Dirty files give the exact figures of what they say, and the counts of everything that is wrong with them."""

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from maos.readings import DateOrder, Reading
from tests.analyses import Analysis
from tests.integration.test_report_services import aggregated, folder, put

__all__ = ["folder"]

# A German export with foreign lines in it: the price shows a decimal comma, the units follow it.
_DIRTY: list[tuple[str, str, str, str]] = [
    ("sold", "region", "price", "units"),
    ("03/04/2025", "North", "1.234,56", "1.234"),
    ("31/03/2025", "North", "12,50", "950"),
    ("03/31/2025", "South", "2.50", "10"),
    ("2025-04-01", "South", "-3,00", "10"),
    ("02.04.2025", "", "1\u00a0234,50 \u20ac", "10"),
    ("3 Apr 2025", "North", "n/a", "10"),
    ("13/04/2025", "North", "(1,50)", "10"),
    ("14/04/2025", "North", "1.000", "2.100"),
    ("15/04/2025", "South", "$ 7,00", "10"),
    ("15/04/2025", "South", "", "10"),
    ("16/04/2025", "South", "99,99", "10"),
    ("soon", "South", "0,01", "10"),
    ("17/04/2025", "South", "5", "10"),
    ("17/04/2025", "South", "5", "10"),
    *[("18/04/2025", "East", "10,00", "10")] * 10,
]


def dirty(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\n").writerows(rows)
    return text.getvalue()


def test_a_dirty_file_is_read_to_the_cent_and_all_its_dirt_is_counted(folder: Path) -> None:
    name = put(folder, "dirty.csv", dirty([*_DIRTY]))

    profile, metrics = aggregated(folder, name, measures=["price", "units"], dimensions=["region"])

    day, region, price, units = profile.facts.columns
    assert (price.reading, price.missing, price.unparsable) == (Reading(decimal=",", currency="EUR"), 1, 2)
    assert (price.other_format, price.ambiguous, price.other_currency) == (1, 1, 1)
    assert price.examples == ("$ 7,00", "n/a")
    assert (units.reading, units.ambiguous, units.whole, units.maximum) == (Reading(decimal=","), 2, True, "2100")
    assert day.reading == Reading(date_order=DateOrder.DAY_FIRST)
    assert (day.unparsable, day.other_format, day.ambiguous, day.examples) == (1, 4, 1, ("soon",))
    assert (day.minimum, day.maximum) == ("2025-03-31", "2025-04-18")
    assert region.missing == 1
    assert profile.duplicate_rows == 10
    total = Decimal("1234.56") + Decimal("12.5") + Decimal("2.5") - 3 + Decimal("1234.5") - Decimal("1.5") + 1000
    total += Decimal("99.99") + Decimal("0.01") + 5 + 5 + 100
    assert [(each.sum, each.count, each.missing, each.unparsable) for each in metrics.totals] == [
        (total, 21, 1, 2),
        (Decimal(1234 + 950 + 2100 + 10 * 21), 24, 0, 0),
    ]
    assert metrics.trend is not None
    assert (metrics.trend.first, metrics.trend.last) == (date(2025, 3, 31), date(2025, 4, 18))
    assert metrics.trend.undated is not None
    assert metrics.trend.undated.rows == 1
    assert [(period.label, period.rows) for period in metrics.trend.periods][:3] == [
        ("2025-03-31", 2),
        ("2025-04-01", 1),
        ("2025-04-02", 1),
    ]


@pytest.mark.parametrize(
    ("values", "reading", "total", "ambiguous"),
    [
        (["1.234", "2.345", "950"], None, "953.579", 2),
        (["1,234", "2,345", "950"], Reading(decimal="."), "4529", 2),
        (["1.234", "2.345", "9.5"], None, "13.079", 0),
        (["1.234", "2.345", "9,5"], Reading(decimal=","), "3588.5", 0),
        (["$1,234.50", "$2", "3"], Reading(decimal=".", currency="USD"), "1239.5", 0),
        (["-1.5", "2", "1e2"], None, "100.5", 0),
    ],
)
def test_a_column_s_own_values_say_how_it_is_written(
    folder: Path, values: list[str], reading: Reading | None, total: str, ambiguous: int
) -> None:
    name = put(
        folder, "one.csv", dirty([("shop", "amount"), *((f"S{number}", value) for number, value in enumerate(values))])
    )

    profile, metrics = aggregated(folder, name)

    column = profile.facts.column("amount")
    assert (column.reading, column.ambiguous) == (reading, ambiguous)
    assert metrics.totals[0].sum == Decimal(total)


def test_american_dates_are_told_by_their_days(folder: Path) -> None:
    rows = [("when", "amount"), ("04/03/2025", "1"), ("04/30/2025", "2"), ("05/31/2025 18:30", "3")]

    profile, metrics = aggregated(folder, put(folder, "us.csv", dirty([*rows])))

    assert profile.facts.column("when").reading == Reading(date_order=DateOrder.MONTH_FIRST)
    assert profile.facts.column("when").ambiguous == 0
    assert metrics.trend is not None
    assert [period.start for period in metrics.trend.periods] == [
        date(2025, 4, 3),
        date(2025, 4, 30),
        date(2025, 5, 31),
    ]


def test_percentages_and_phone_numbers_are_no_numbers(folder: Path) -> None:
    rows = [("quota", "phone", "amount"), *[(f"{number} %", f"030 123 {number}", "1") for number in range(100, 120)]]

    profile, _ = aggregated(folder, put(folder, "text.csv", dirty([*rows])))

    assert [column.kind.value for column in profile.facts.columns] == ["text", "text", "number"]


def test_tables_of_an_analysis_hold_what_the_report_adds_up(folder: Path) -> None:
    name = put(folder, "dirty.csv", dirty([*_DIRTY]))

    result = Analysis(folder, "What is the total price?", (name,)).run()
    by_month = Analysis(folder, "How did units develop per month in 2025?", (name,)).run()

    assert result.rows[0] == ("3689.56", "-3", "1234.56", "21")
    assert [row[:2] for row in by_month.rows] == [("2025-03-01", "960"), ("2025-04-01", "3524")]


# Weeks 10 to 13 of 2025, and the same week 12 of 2024; week 13 is the last.
_WEEKS = [
    ("sold", "region", "amount"),
    ("2024-03-20", "North", "80"),
    ("2025-03-05", "North", "5"),
    ("2025-03-06", "North", "5"),
    ("2025-03-10", "North", "100"),
    ("2025-03-16", "South", "50.50"),
    ("2025-03-17", "North", "90"),
    ("2025-03-23", "South", "80.50"),
    ("2025-03-23", "", "1"),
    ("2025-03-24", "North", "1000"),
    ("never", "North", "7"),
]


def test_the_latest_complete_week_is_compared_with_the_one_before_and_a_year_before(folder: Path) -> None:
    name = put(folder, "weeks.csv", dirty([*_WEEKS]))

    _, metrics = aggregated(folder, name, dimensions=["region"], compare="week")

    found = metrics.comparison
    assert found is not None
    assert (found.label, found.label_before, found.label_year_before) == ("2025-W12", "2025-W11", "2024-W12")
    assert (found.label_unfinished, found.rows, found.rows_before) == ("2025-W13", 3, 2)
    (amount,) = found.measures
    assert (amount.sum, amount.before, amount.step) == (Decimal("171.5"), Decimal("150.5"), Decimal(21))
    assert (amount.change, amount.year_before, amount.change_on_year) == (Decimal("13.95"), 80, Decimal("114.38"))
    (region,) = found.dimensions
    assert [(each.value, each.step) for each in region.movers] == [("South", 30), ("North", -10), (None, 1)]
    assert (region.others, region.rest) == (0, None)


def test_data_within_one_period_are_compared_with_nothing(folder: Path) -> None:
    rows = [("sold", "amount"), ("2025-03-05", "5"), ("2025-03-06", "6"), ("2025-04-06", "6")]

    _, metrics = aggregated(folder, put(folder, "short.csv", dirty([*rows])), compare="month")

    assert metrics.trend is not None
    assert metrics.comparison is None
