"""Raw sums become shares, ranks and changes; numbers stay exact."""

import json
from datetime import date
from decimal import Decimal

import pytest

from maos.aggregates import Group, RawTotal, breakdown_of, periods_of, total_of, years_of
from maos.figures import added, change_from, percent_of, plain, rounded, shown, shown_change, shown_percent
from maos.metrics import Metrics, Total
from maos.periods import Grain, grain_for, label_of, name_of, year_before
from tests.report_data import metrics


def group(start: date, value: str) -> Group:
    return Group(start=start, rows=2, sums=(Decimal(value),))


def total(value: str = "200") -> Total:
    raw = RawTotal(rows=10, present=9, count=8, sum=Decimal(value), minimum=Decimal(1), maximum=Decimal(50))
    return total_of("revenue", raw)


def test_a_total_counts_what_was_left_out_of_it() -> None:
    assert total("100").model_dump(mode="json") == {
        "measure": "revenue",
        "sum": "100",
        "mean": "12.5",
        "minimum": "1",
        "maximum": "50",
        "count": 8,
        "missing": 1,
        "unparsable": 1,
    }


def test_a_breakdown_keeps_the_nameless_apart_and_adds_up_the_rest() -> None:
    groups = [
        Group(value=None, rows=1, sums=(Decimal(10),)),
        Group(value="North", rows=4, sums=(Decimal(120),)),
        Group(value="South", rows=3, sums=(Decimal(50),)),
    ]

    found = breakdown_of("region", groups, distinct=4, rows=10, totals=[total()])

    assert [(part.value, part.rows, part.amounts[0].sum, part.amounts[0].share) for part in found.slices] == [
        ("North", 4, 120, 60),
        ("South", 3, 50, 25),
    ]
    assert found.unlabelled is not None
    assert (found.unlabelled.rows, found.unlabelled.amounts[0].share) == (1, 5)
    assert found.rest is not None
    assert (found.rest.rows, found.rest.amounts[0].sum, found.rest.amounts[0].share) == (2, 20, 10)


def test_a_breakdown_of_everything_has_no_rest() -> None:
    found = breakdown_of(
        "region", [Group(value="North", rows=10, sums=(Decimal(200),))], distinct=1, rows=10, totals=[total()]
    )

    assert (found.rest, found.unlabelled) == (None, None)


def test_shares_of_nothing_are_none() -> None:
    found = breakdown_of("x", [Group(value="a", rows=10, sums=(Decimal(5),))], distinct=1, rows=10, totals=[total("0")])

    assert found.slices[0].amounts[0].share is None


def test_a_period_is_compared_with_its_neighbour_in_the_calendar_only() -> None:
    months = [group(date(2024, 1, 1), "100"), group(date(2024, 2, 1), "90"), group(date(2024, 4, 1), "50")]

    found = periods_of(reversed(months), Grain.MONTH, ["revenue"])

    assert [(period.label, period.movements[0].change, period.movements[0].step) for period in found] == [
        ("2024-01", None, None),
        ("2024-02", Decimal(-10), Decimal(-10)),
        ("2024-04", None, None),
    ]


def test_a_period_is_compared_with_the_same_period_of_the_year_before() -> None:
    found = periods_of([group(date(2023, 3, 1), "80"), group(date(2024, 3, 1), "100")], Grain.MONTH, ["revenue"])

    assert found[1].movements[0].change_on_year == 25


@pytest.mark.parametrize(("before", "after", "change"), [("0", "5", None), ("-4", "5", None), ("4", "-2", "-150")])
def test_a_change_is_a_percentage_of_something_above_zero(before: str, after: str, change: str | None) -> None:
    assert change_from(Decimal(before), Decimal(after)) == (None if change is None else Decimal(change))


def test_only_complete_years_are_compared() -> None:
    months = [group(date(year, month, 1), "10") for year in (2023, 2024) for month in range(1, 13)]
    months += [group(date(2025, month, 1), "10") for month in range(1, 8)]

    found = years_of(months, ["revenue"])

    assert [(year.label, year.rows, year.movements[0].sum, year.movements[0].change) for year in found] == [
        ("2023", 24, 120, None),
        ("2024", 24, 120, 0),
    ]


def test_numbers_of_38_digits_stay_exact() -> None:
    large, small = Decimal("99999999999999999999999999.99"), Decimal("0.0000000001")

    assert added([large, small]) == Decimal("99999999999999999999999999.9900000001")
    assert percent_of(large, large) == 100


def test_figures_survive_json_without_noise() -> None:
    figures = metrics()

    text = figures.model_dump_json()

    assert Metrics.model_validate_json(text) == figures
    assert json.loads(text)["totals"][0]["sum"] == "1234567.891"
    assert "E+" not in text
    assert not any(isinstance(value, float) for value in _leaves(json.loads(text)))


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


@pytest.mark.parametrize(
    ("value", "text"), [("1E+3", "1000"), ("12.3400", "12.34"), ("-0.00", "0"), ("0.0000000001", "0.0000000001")]
)
def test_a_plain_number_has_no_exponent_and_no_trailing_zeros(value: str, text: str) -> None:
    assert f"{plain(Decimal(value)):f}" == text


@pytest.mark.parametrize(
    ("value", "table", "sentence"),
    [
        ("1234567.891", "1,234,567.89", "1,234,568"),
        ("1000", "1,000", "1,000"),
        ("999.5", "999.50", "999.50"),
        ("12.345", "12.35", "12.35"),
        ("-0.5", "-0.50", "-0.50"),
        ("0.000001234", "0.00000123", "0.00000123"),
        ("0", "0", "0"),
    ],
)
def test_a_number_is_shown_for_tables_and_for_sentences(value: str, table: str, sentence: str) -> None:
    assert (shown(Decimal(value)), rounded(Decimal(value))) == (table, sentence)


def test_percentages_show_one_decimal_and_changes_their_sign() -> None:
    assert shown_percent(Decimal("48.65")) == "48.7%"
    assert [shown_change(Decimal(value)) for value in ("3.21", "-3.25", "0.04", "-0.04")] == [
        "+3.2%",
        "-3.3%",
        "0.0%",
        "0.0%",
    ]


@pytest.mark.parametrize(
    ("days", "months", "grain"),
    [(20, 1, Grain.DAY), (10, 4, Grain.DAY), (60, 3, Grain.MONTH), (700, 72, Grain.MONTH), (3000, 73, Grain.YEAR)],
)
def test_periods_are_as_long_as_the_data_need(days: int, months: int, grain: Grain) -> None:
    assert grain_for(days=days, months=months) is grain


@pytest.mark.parametrize(
    ("grain", "label", "name"),
    [
        (Grain.DAY, "2024-03-05", "5 March 2024"),
        (Grain.MONTH, "2024-03", "March 2024"),
        (Grain.YEAR, "2024", "2024"),
    ],
)
def test_a_period_has_a_label_and_a_name(grain: Grain, label: str, name: str) -> None:
    assert (label_of(date(2024, 3, 5), grain), name_of(date(2024, 3, 5), grain)) == (label, name)


def test_a_leap_day_has_no_day_a_year_before() -> None:
    assert year_before(date(2024, 2, 29)) is None
