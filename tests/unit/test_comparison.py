"""The latest complete period is compared with the one before it and the same one a year before."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maos.comparison import (
    Comparison,
    MovedGroup,
    PeriodSums,
    compared_periods,
    comparison_of,
    grain_of_span,
    movers_of,
    reaches_its_end,
)
from maos.comparison_tables import comparison_detail, comparison_rule, comparison_tables
from maos.periods import Grain, earlier_year, following, label_of, name_of, start_of

_DAYS = st.dates(min_value=date(1800, 1, 1), max_value=date(2199, 1, 1))


@pytest.mark.parametrize(
    ("grain", "day", "start", "label", "name", "next_", "year"),
    [
        (Grain.WEEK, "2025-04-03", "2025-03-31", "2025-W14", "week 14 of 2025", "2025-04-07", "2024-04-01"),
        (Grain.WEEK, "2021-01-01", "2020-12-28", "2020-W53", "week 53 of 2020", "2021-01-04", None),
        (Grain.WEEK, "2024-12-31", "2024-12-30", "2025-W01", "week 1 of 2025", "2025-01-06", "2024-01-01"),
        (Grain.QUARTER, "2025-12-31", "2025-10-01", "2025-Q4", "Q4 2025", "2026-01-01", "2024-10-01"),
        (Grain.MONTH, "2024-02-29", "2024-02-01", "2024-02", "February 2024", "2024-03-01", "2023-02-01"),
        (Grain.DAY, "2024-02-29", "2024-02-29", "2024-02-29", "29 February 2024", "2024-03-01", None),
        (Grain.YEAR, "2024-02-29", "2024-01-01", "2024", "2024", "2025-01-01", None),
    ],
)
def test_a_day_is_in_a_period_of_the_calendar(
    grain: Grain, day: str, start: str, label: str, name: str, next_: str, year: str | None
) -> None:
    found = start_of(date.fromisoformat(day), grain)

    assert (found.isoformat(), label_of(found, grain), name_of(found, grain)) == (start, label, name)
    assert following(found, grain).isoformat() == next_
    assert earlier_year(found, grain) == (date.fromisoformat(year) if year else None)


@given(day=_DAYS, grain=st.sampled_from(list(Grain)))
def test_periods_leave_no_day_out_and_share_none(day: date, grain: Grain) -> None:
    start = start_of(day, grain)

    assert start <= day < following(start, grain)
    assert start_of(following(start, grain) - timedelta(days=1), grain) == start


@pytest.mark.parametrize(
    ("days", "grain"),
    [
        (1, Grain.DAY),
        (21, Grain.DAY),
        (22, Grain.WEEK),
        (121, Grain.MONTH),
        (3 * 366 + 1, Grain.QUARTER),
        (8 * 366 + 1, Grain.YEAR),
    ],
)
def test_the_span_of_the_data_chooses_the_periods(days: int, grain: Grain) -> None:
    first = date(2020, 1, 1)

    assert grain_of_span(first, first + timedelta(days=days - 1)) is grain


def test_a_last_period_that_the_data_do_not_reach_the_end_of_is_left_out() -> None:
    found = compared_periods(Grain.MONTH, first=date(2024, 1, 10), finished=date(2025, 3, 28), last=date(2025, 4, 29))

    assert found is not None
    assert (found.start, found.before) == (date(2025, 3, 1), date(2025, 2, 1))
    assert (found.year_before, found.unfinished) == (date(2024, 3, 1), date(2025, 4, 1))
    assert not found.begins_with_data


@pytest.mark.parametrize(
    ("last", "grain", "complete"),
    [
        ("2025-03-30", Grain.WEEK, True),
        ("2025-03-29", Grain.WEEK, False),
        ("2025-02-28", Grain.MONTH, True),
        ("2024-02-28", Grain.MONTH, False),
        ("2025-12-31", Grain.QUARTER, True),
        ("2025-12-31", Grain.YEAR, True),
        ("2025-12-31", Grain.DAY, False),
    ],
)
def test_a_period_of_which_the_data_have_the_last_day_is_complete(last: str, grain: Grain, complete: bool) -> None:
    assert reaches_its_end(date.fromisoformat(last), grain) is complete


def test_data_that_reach_the_end_of_a_period_leave_nothing_out() -> None:
    found = compared_periods(Grain.WEEK, first=date(2025, 1, 6), finished=date(2025, 3, 30), last=date(2025, 3, 30))

    assert found is not None
    assert (found.start, found.before, found.unfinished) == (date(2025, 3, 24), date(2025, 3, 17), None)


def test_the_first_period_has_nothing_to_be_compared_with() -> None:
    assert (
        compared_periods(Grain.MONTH, first=date(2025, 3, 2), finished=date(2025, 3, 28), last=date(2025, 4, 3)) is None
    )


def compared() -> Comparison:
    periods = compared_periods(Grain.MONTH, first=date(2025, 2, 2), finished=date(2025, 3, 28), last=date(2025, 4, 3))
    assert periods is not None
    sums = {
        periods.start: PeriodSums(rows=10, sums=(Decimal(120), Decimal(6))),
        periods.before: PeriodSums(rows=8, sums=(Decimal(100), Decimal(0))),
    }
    groups = [
        MovedGroup(value="North", sum=Decimal(70), before=Decimal(20)),
        MovedGroup(value=None, sum=Decimal(0), before=Decimal(35)),
    ]
    movers = movers_of("region", groups, values=5, now=Decimal(120), before=Decimal(100))
    return comparison_of(periods, ["revenue", "units"], sums, [movers])


def test_measures_and_movers_are_compared_exactly() -> None:
    found = compared()

    revenue, units = found.measures
    assert (revenue.step, revenue.change, revenue.year_before) == (Decimal(20), Decimal(20), None)
    assert (units.step, units.change) == (Decimal(6), None)
    (region,) = found.dimensions
    assert [(each.value, each.step, each.share) for each in region.movers] == [
        ("North", Decimal(50), Decimal(250)),
        (None, Decimal(-35), Decimal(-175)),
    ]
    assert region.rest is not None
    assert (region.others, region.rest.step, region.rest.share) == (3, Decimal(5), Decimal(25))


def test_the_report_names_the_periods_and_what_is_left_out() -> None:
    found = compared()

    measures, regions = comparison_tables(found)
    assert measures.title == "March 2025 against February 2025"
    assert measures.rows == (("Revenue", "120", "100", "20", "+20.0%"), ("Units", "6", "0", "6", "—"))
    assert regions.rows == (
        ("North", "70", "20", "50", "250.0%"),
        ("(missing)", "0", "35", "-35", "-175.0%"),
        ("All others (3)", "50", "45", "5", "25.0%"),
    )
    assert comparison_rule(found) == (
        "March 2025 (10 rows) against February 2025 (8 rows). The data end within April 2025, which may be unfinished"
        " and is left out. The data begin in February 2025, which may lack its first days."
    )
    assert comparison_detail(found) == "+20.0% on the month before"


def test_a_gap_between_the_periods_is_named() -> None:
    periods = compared_periods(Grain.WEEK, first=date(2025, 3, 31), finished=date(2025, 4, 18), last=date(2025, 5, 2))
    assert periods is not None

    found = comparison_of(periods, ["revenue"], {periods.start: PeriodSums(rows=1, sums=(Decimal(5),))}, [])

    assert comparison_rule(found) == (
        "Week 16 of 2025 (1 row) against week 15 of 2025 (0 rows). The data end within week 18 of 2025, which may be"
        " unfinished and is left out. They have nothing between week 16 of 2025 and week 18 of 2025."
    )
