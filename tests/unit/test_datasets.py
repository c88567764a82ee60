"""What a report takes from a data set."""

import pytest

from maos.datasets import ColumnFacts, ColumnKind, DatasetFacts, choose_shape, has_identifier, is_rate, kind_of
from maos.errors import BadInput
from tests.report_data import column, dataset

NUMBER, TEXT, DATE, BOOLEAN = ColumnKind.NUMBER, ColumnKind.TEXT, ColumnKind.DATE, ColumnKind.BOOLEAN


def orders() -> DatasetFacts:
    return dataset(
        column("order_id", TEXT, distinct=200),
        column("order_date", DATE, distinct=90, minimum="2024-01-01", maximum="2024-12-31"),
        column("customer", TEXT, distinct=120),
        column("region", TEXT, distinct=5),
        column("rush", BOOLEAN, distinct=2),
        column("quantity", NUMBER, distinct=30, whole=True, minimum="1", maximum="90"),
        column("unit_price", NUMBER, distinct=15, minimum="1.5", maximum="70"),
        column("revenue", NUMBER, distinct=150, minimum="1.5", maximum="900"),
        column("paid_on", DATE, distinct=80, minimum="2024-01-01", maximum="2024-12-31"),
    )


def test_measures_dimensions_and_period_are_found_by_the_values() -> None:
    shape = choose_shape(orders())

    assert shape.measures == ("revenue", "quantity")
    assert shape.dimensions == ("region", "rush")
    assert shape.period_column == "order_date"


def test_what_is_asked_for_is_kept() -> None:
    shape = choose_shape(orders(), measures=["unit_price"], dimensions=["customer"], period_column="paid_on")

    assert (shape.measures, shape.dimensions, shape.period_column) == (("unit_price",), ("customer",), "paid_on")


def test_a_number_may_be_a_dimension_and_is_then_not_measured() -> None:
    shape = choose_shape(orders(), dimensions=["quantity"])

    assert shape.measures == ("revenue",)


@pytest.mark.parametrize(
    ("asked", "field", "value", "allowed"),
    [
        ({"measures": ["profit"]}, "measures", "profit", "quantity, unit_price, revenue"),
        ({"measures": ["region"]}, "measures", "region", "quantity, unit_price, revenue"),
        ({"measures": ["Revenue"]}, "measures", "Revenue", "quantity, unit_price, revenue"),
        ({"measures": ["revenue", "revenue"]}, "measures", "revenue", "each column once"),
        ({"dimensions": ["colour"]}, "dimensions", "colour", "region, rush, quantity"),
        ({"dimensions": ["order_date"]}, "dimensions", "order_date", "order_id, customer"),
        ({"measures": ["quantity"], "dimensions": ["quantity"]}, "dimensions", "quantity", "a column that is not"),
        ({"period_column": "region"}, "period_column", "region", "order_date, paid_on"),
        ({"period_column": "when"}, "period_column", "when", "order_date, paid_on"),
    ],
)
def test_a_column_that_cannot_serve_is_refused_with_those_that_can(
    asked: dict[str, list[str] | str], field: str, value: str, allowed: str
) -> None:
    with pytest.raises(BadInput) as refused:
        choose_shape(orders(), **asked)  # type: ignore[arg-type] - a table of keywords

    assert (refused.value.field, refused.value.value) == (field, value)
    assert allowed in refused.value.allowed


def test_a_table_without_numbers_is_refused() -> None:
    with pytest.raises(BadInput, match="a table with a column of numbers"):
        choose_shape(dataset(column("region"), column("store_id", NUMBER, distinct=200)))


def test_a_column_that_does_not_exist_is_refused_even_where_none_could_serve() -> None:
    with pytest.raises(BadInput, match="none \\(the data set has no such column\\)"):
        choose_shape(dataset(column("amount", NUMBER)), period_column="when")


@pytest.mark.parametrize(
    "identifier",
    [
        column("order_id", NUMBER, whole=True, minimum="1", maximum="200"),
        column("Invoice No", NUMBER, whole=True, minimum="1", maximum="200"),
        column("customerNumber", NUMBER, whole=True, minimum="1", maximum="200"),
        column("year", NUMBER, whole=True, minimum="2019", maximum="2024"),
        column("vintage", NUMBER, whole=True, minimum="1990", maximum="2020"),
        column("zip", NUMBER, whole=True, minimum="10115", maximum="99998"),
        column("latitude", NUMBER, minimum="47.1", maximum="55.0"),
        column("margin_pct", NUMBER, minimum="1", maximum="9"),
    ],
    ids=lambda each: each.name,
)
def test_identifiers_years_and_rates_are_not_added_up_unasked(identifier: ColumnFacts) -> None:
    shape = choose_shape(dataset(identifier, column("number_of_orders", NUMBER, minimum="1", maximum="7")))

    assert shape.measures == ("number_of_orders",)


def test_rates_are_measured_where_there_is_nothing_else() -> None:
    assert choose_shape(dataset(column("unit_price", NUMBER))).measures == ("unit_price",)


def test_a_column_of_many_or_of_one_value_is_no_dimension_unasked() -> None:
    facts = dataset(
        column("amount", NUMBER),
        column("name", distinct=180),
        column("country", distinct=1),
        column("team", distinct=9),
    )

    assert choose_shape(facts).dimensions == ("team",)


@pytest.mark.parametrize(
    ("present", "numbers", "dates", "booleans", "kind"),
    [
        (100, 100, 0, 0, NUMBER),
        (100, 90, 0, 0, NUMBER),
        (100, 89, 0, 0, TEXT),
        (100, 0, 90, 0, DATE),
        (100, 0, 89, 0, TEXT),
        (100, 0, 0, 100, BOOLEAN),
        (100, 0, 0, 99, TEXT),
        (0, 0, 0, 0, TEXT),
    ],
)
def test_the_kind_of_a_column_is_that_of_nine_in_ten_of_its_values(
    present: int, numbers: int, dates: int, booleans: int, kind: ColumnKind
) -> None:
    assert kind_of(present=present, numbers=numbers, dates=dates, booleans=booleans) is kind


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([column("order_id", distinct=195)], True),
        ([column("orderId", distinct=195)], True),
        ([column("shop_id", distinct=4)], False),
        ([column("comment", distinct=200)], False),
    ],
)
def test_rows_are_identified_by_a_column_that_is_named_so_and_tells_them_apart(
    columns: list[ColumnFacts], expected: bool
) -> None:
    assert has_identifier(dataset(*columns)) is expected


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("/srv/private/folder/sales 2024.csv", "sales 2024.csv"),
        ("sales.csv", "sales.csv"),
        ("https://data.example/files/sales.csv?signature=secret#top", "https://data.example/files/sales.csv"),
    ],
)
def test_readers_see_no_folders_and_no_secrets_of_the_source(source: str, shown: str) -> None:
    assert dataset(column("amount", NUMBER), source=source).display_name == shown


def test_a_rate_is_known_by_its_name() -> None:
    assert [name for name in ("unit_price", "discountPct", "price list", "pricey", "revenue") if is_rate(name)] == [
        "unit_price",
        "discountPct",
        "price list",
    ]
