"""Values of columns are read as what they say, in whatever way they are written."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maos.readings import PLAIN, DateEvidence, DateOrder, NumberEvidence, Reading, date_reading, number_reading
from tasks.readings import date_of, number_of

POINT, COMMA = Reading(decimal="."), Reading(decimal=",")
EURO = Reading(decimal=",", currency="EUR")
DAY_FIRST, MONTH_FIRST = Reading(date_order=DateOrder.DAY_FIRST), Reading(date_order=DateOrder.MONTH_FIRST)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def read(engine: duckdb.DuckDBPyConnection, term: str, value: str) -> Any:
    return engine.execute(f"SELECT {term} FROM (SELECT ?::VARCHAR AS v)", [value]).fetchall()[0][0]


@pytest.mark.parametrize(
    ("value", "point", "comma"),
    [
        ("1234.56", "1234.56", "1234.56"),
        ("1,234.56", "1234.56", "1234.56"),
        ("1234,56", "1234.56", "1234.56"),
        ("1.234,56", "1234.56", "1234.56"),
        ("1 234,56", "1234.56", "1234.56"),
        ("1\u00a0234,56", "1234.56", "1234.56"),
        ("1\u202f234\u202f567,5", "1234567.5", "1234567.5"),
        ("1'234.56", "1234.56", "1234.56"),
        ("1\u2019234\u2019567", "1234567", "1234567"),
        ("1 234.567", "1234.567", "1234.567"),
        ("1.234", "1.234", "1234"),
        ("-1.234", "-1.234", "-1234"),
        ("+12,345", "12345", "12.345"),
        ("1,234", "1234", "1.234"),
        ("0,123", "0.123", "0.123"),
        ("0.123", "0.123", "0.123"),
        ("1234,567", "1234.567", "1234.567"),
        ("1.234.567", "1234567", "1234567"),
        ("1,234,567", "1234567", "1234567"),
        ("12,5", "12.5", "12.5"),
        (",5", "0.5", "0.5"),
        ("1e3", "1000", "1000"),
        ("(1,234.50)", "-1234.5", "-1234.5"),
        ("1.234,50-", "-1234.5", "-1234.5"),
        ("\u22125", "-5", "-5"),
        ("007", "7", "7"),
        ("1,23,456", None, None),
        ("1.23.456", None, None),
        ("1,234.56.7", None, None),
        ("-(5)", None, None),
        ("-5-", None, None),
        ("(5", None, None),
        ("12%", None, None),
        ("1.234,5 %", None, None),
        ("030 123 456", None, None),
        ("1 23", None, None),
        ("10-20", None, None),
        ("\u20ac 5", None, None),
        ("n/a", None, None),
        ("-", None, None),
        (".", None, None),
        ("", None, None),
        ("1234567890123456789", None, None),
        ("05.03.2024", None, None),
    ],
)
def test_a_number_is_read_by_itself_or_by_its_column(
    engine: duckdb.DuckDBPyConnection, value: str, point: str | None, comma: str | None
) -> None:
    found = [read(engine, number_of("v", reading), value) for reading in (POINT, COMMA)]

    assert found == [None if each is None else Decimal(each) for each in (point, comma)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("\u20ac1.234,56", "1234.56"),
        ("\u20ac 1.234,56", "1234.56"),
        ("-\u20ac5", "-5"),
        ("\u20ac-5", "-5"),
        ("(\u20ac 5,10)", "-5.1"),
        ("1.234,56 \u20ac", "1234.56"),
        ("1.234,56\u00a0EUR", "1234.56"),
        ("5,00 \u20ac-", "-5"),
        ("EUR 5", "5"),
        ("5", "5"),
        ("$5", None),
        ("USD 5", None),
        ("5 EURO", None),
    ],
)
def test_the_currency_of_a_column_is_taken_off_and_no_other(
    engine: duckdb.DuckDBPyConnection, value: str, expected: str | None
) -> None:
    assert read(engine, number_of("v", EURO), value) == (None if expected is None else Decimal(expected))


def read_all(engine: duckdb.DuckDBPyConnection, term: str, values: list[str]) -> list[Any]:
    return [found for (found,) in engine.execute(f"SELECT {term} FROM (SELECT unnest(?) AS v)", [values]).fetchall()]


_NUMBERS = st.lists(
    st.decimals(min_value=-(10**15), max_value=10**15, places=2, allow_nan=False), min_size=1, max_size=40
)
_FEW = settings(deadline=None, max_examples=20)


@given(numbers=_NUMBERS, apart=st.sampled_from(["", ",", " ", "\u00a0", "\u202f", "'"]), money=st.booleans())
@_FEW
def test_numbers_written_with_a_decimal_point_are_read_back_exactly(
    engine: duckdb.DuckDBPyConnection, numbers: list[Decimal], apart: str, money: bool
) -> None:
    written = [f"{number:,.2f}".replace(",", apart) + (" USD" if money else "") for number in numbers]
    reading = Reading(decimal=".", currency="USD")

    assert read_all(engine, number_of("v", reading), written) == numbers


@given(numbers=_NUMBERS, apart=st.sampled_from(["", ".", " ", "\u00a0", "\u202f", "'"]), brackets=st.booleans())
@_FEW
def test_numbers_written_with_a_decimal_comma_are_read_back_exactly(
    engine: duckdb.DuckDBPyConnection, numbers: list[Decimal], apart: str, brackets: bool
) -> None:
    written = [f"{number:,.2f}".replace(".", ";").replace(",", apart).replace(";", ",") for number in numbers]
    if brackets:
        written = [f"({text[1:]})" if text.startswith("-") else text for text in written]

    assert read_all(engine, number_of("v", COMMA), written) == numbers


@given(
    numbers=st.lists(st.integers(min_value=-(10**17), max_value=10**17), min_size=1, max_size=40),
    sign=st.sampled_from([".", ","]),
)
@_FEW
def test_whole_numbers_in_thousands_are_read_back_by_the_sign_of_their_column(
    engine: duckdb.DuckDBPyConnection, numbers: list[int], sign: str
) -> None:
    written = [f"{number:,}".replace(",", "," if sign == "." else ".") for number in numbers]

    assert read_all(engine, number_of("v", POINT if sign == "." else COMMA), written) == numbers


@given(texts=st.lists(st.text(alphabet="0123456789.,-+() '\u20ac\u00a0eE%", max_size=12), min_size=1, max_size=60))
@_FEW
def test_plain_numbers_mean_the_same_in_a_column_with_other_forms(
    engine: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    plain, wide = (read_all(engine, number_of("v", reading), texts) for reading in (PLAIN, POINT))

    assert [each for each, before in zip(wide, plain, strict=True) if before is not None] == [
        each for each in plain if each is not None
    ]


@pytest.mark.parametrize(
    ("value", "day_first", "month_first"),
    [
        ("2025-03-04", date(2025, 3, 4), date(2025, 3, 4)),
        ("2025/03/04", date(2025, 3, 4), date(2025, 3, 4)),
        ("2025-03-04T10:00:00Z", date(2025, 3, 4), date(2025, 3, 4)),
        ("2025-03", date(2025, 3, 1), date(2025, 3, 1)),
        ("04.03.2025", date(2025, 3, 4), date(2025, 3, 4)),
        ("04/03/2025", date(2025, 3, 4), date(2025, 4, 3)),
        ("4-3-2025", date(2025, 3, 4), date(2025, 4, 3)),
        ("04/03/2025 18:30", date(2025, 3, 4), date(2025, 4, 3)),
        ("04/03/2025 6:30:05 PM", date(2025, 3, 4), date(2025, 4, 3)),
        ("31/12/2025", date(2025, 12, 31), date(2025, 12, 31)),
        ("12/31/2025", date(2025, 12, 31), date(2025, 12, 31)),
        ("3 Mar 2025", date(2025, 3, 3), date(2025, 3, 3)),
        ("3rd March 2025", date(2025, 3, 3), date(2025, 3, 3)),
        ("03-MAR-2025", date(2025, 3, 3), date(2025, 3, 3)),
        ("March 3, 2025", date(2025, 3, 3), date(2025, 3, 3)),
        ("Sept. 30 2025", date(2025, 9, 30), date(2025, 9, 30)),
        ("may 3, 2025", date(2025, 5, 3), date(2025, 5, 3)),
        ("31/04/2025", None, None),
        ("30/02/2025", None, None),
        ("13/13/2025", None, None),
        ("04/03/25", None, None),
        ("31 Feb 2025", None, None),
        ("Marketing 3, 2025", None, None),
        ("3 Mar 9025", None, None),
        ("soon", None, None),
    ],
)
def test_a_date_is_read_by_itself_or_by_its_column(
    engine: duckdb.DuckDBPyConnection, value: str, day_first: date | None, month_first: date | None
) -> None:
    found = [read(engine, date_of("v", reading), value) for reading in (DAY_FIRST, MONTH_FIRST)]

    assert found == [day_first, month_first]


@pytest.mark.parametrize(
    ("point", "comma", "ambiguous", "others", "decimal", "uncertain"),
    [
        (5, 0, 3, (), ".", 0),
        (0, 5, 3, (), ",", 0),
        (2, 5, 3, (), ",", 3),
        (5, 5, 3, (), ".", 3),
        (0, 0, 3, (), ".", 3),
        (0, 0, 3, (",",), ",", 3),
        (0, 0, 3, (",", "."), ".", 3),
        (5, 0, 3, (",",), ".", 0),
    ],
)
def test_ambiguous_numbers_follow_their_column_then_their_file(
    point: int, comma: int, ambiguous: int, others: tuple[str, ...], decimal: str, uncertain: int
) -> None:
    evidence = NumberEvidence(formatted=1, point=point, comma=comma, ambiguous=ambiguous)

    assert number_reading(evidence, others).decimal == decimal  # type: ignore[arg-type] - a table of strings
    assert evidence.uncertain == uncertain


def test_a_column_of_plain_numbers_is_read_by_the_plain_pattern() -> None:
    evidence = NumberEvidence(formatted=0, point=5, comma=0, ambiguous=3)

    assert number_reading(evidence, [","]) == PLAIN


def test_the_most_frequent_currency_is_the_column_s() -> None:
    evidence = NumberEvidence(formatted=9, point=0, comma=9, ambiguous=0, currencies={"USD": 4, "EUR": 5, "CHF": 0})

    assert number_reading(evidence, []) == EURO


@pytest.mark.parametrize(
    ("day_first", "month_first", "ambiguous", "others", "order", "uncertain"),
    [
        (3, 0, 4, (), DateOrder.DAY_FIRST, 0),
        (0, 3, 4, (), DateOrder.MONTH_FIRST, 0),
        (1, 3, 4, (), DateOrder.MONTH_FIRST, 4),
        (0, 0, 4, (), DateOrder.DAY_FIRST, 4),
        (0, 0, 4, (DateOrder.MONTH_FIRST,), DateOrder.MONTH_FIRST, 4),
        (3, 0, 4, (DateOrder.MONTH_FIRST,), DateOrder.DAY_FIRST, 0),
    ],
)
def test_ambiguous_dates_follow_their_column_then_their_file(
    day_first: int,
    month_first: int,
    ambiguous: int,
    others: tuple[DateOrder, ...],
    order: DateOrder,
    uncertain: int,
) -> None:
    evidence = DateEvidence(day_first=day_first, month_first=month_first, ambiguous=ambiguous, others=0)

    assert date_reading(evidence, others).date_order is order
    assert evidence.uncertain == uncertain
