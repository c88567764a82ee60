"""What the rows of a vendor's export say, and what differs from ours by more than their rounding."""

from datetime import date
from decimal import Decimal

import pytest

from maos.errors import BadInput
from maos.usage_comparison import VendorSums, differences
from maos.vendor_usage import KNOWN_FORMS, Measure, chosen_form, form_of, matcher, model_key, row_of

TOKENS = {
    "usage_date_utc": "2026-05-10",
    "model_version": "claude-opus-4-5-20251101",
    "api_key": "production",
    "usage_input_tokens_no_cache": "1,000",
    "usage_input_tokens_cache_write_5m": "20",
    "usage_input_tokens_cache_write_1h": "3",
    "usage_input_tokens_cache_read": "4",
    "usage_output_tokens": "500",
}
COSTS = {"usage_date_utc": "2026-05-10", "model": "Claude Opus 4.5", "cost_usd": "0.12"}
GOODS = {
    "Usage start date": "2026-05-10",
    "SKU description": "Generate_content image output token count for Gemini 3.1 Flash Image",
    "Usage amount": "1,290",
    "Cost ($)": "$0.08",
}
DAY = date(2026, 5, 10)


def test_an_export_of_tokens_is_known_by_its_columns() -> None:
    form = form_of([*TOKENS])
    assert form is not None

    row = row_of(form, TOKENS)

    assert (row.day, row.model) == (DAY, "claude-opus-4-5")
    assert {measure.value: int(figure) for measure, (figure, _) in row.figures.items()} == {
        "input_tokens": 1000,
        "output_tokens": 500,
        "cache_read_tokens": 4,
        "cache_write_tokens": 23,
    }


def test_an_export_of_costs_is_known_no_better_than_its_last_digit() -> None:
    form = form_of([*COSTS])
    assert form is not None

    row = row_of(form, COSTS)

    assert row.model == "claude-opus-4-5"
    assert row.figures == {Measure.COST: (Decimal("0.12"), Decimal("0.005"))}


def test_the_list_price_counts_where_an_export_has_it_beside_what_was_paid() -> None:
    form = form_of([*COSTS, "list_price_usd"])

    assert form is not None
    assert form.columns[Measure.COST] == ("list_price_usd",)


def test_an_export_of_goods_names_the_kind_of_token_and_counts_days_of_its_own_place() -> None:
    form = form_of([*GOODS])
    assert form is not None

    row = row_of(form, GOODS)

    assert row.figures == {Measure.OUTPUT: (1290, 0), Measure.COST: (Decimal("0.08"), Decimal("0.005"))}
    model_of = matcher(form, ["gemini-3-1-flash", "gemini-3-1-flash-image"], {})
    assert model_of(row.model) == "gemini-3-1-flash-image"
    assert model_of(model_key("Generate content input token count gemini 9 pro")) is not None
    assert model_of(model_key("Cloud Storage Standard")) is None
    assert form.timezone == "America/Los_Angeles"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Generate_content cached text input token count for gemini 3 flash", Measure.CACHE_READ),
        ("Generate content input token count gemini 3 flash text", Measure.INPUT),
        ("Grounding with Search on Gemini 3", None),
    ],
)
def test_goods_that_are_no_tokens_have_a_cost_alone(words: str, kind: Measure | None) -> None:
    form = form_of([*GOODS])
    assert form is not None

    assert set(row_of(form, GOODS | {"SKU description": words}).figures) - {Measure.COST} == ({kind} if kind else set())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"usage_date_utc": "10 May"}, "usage_date_utc: '10 May' is no date such as 2026-11-01"),
        ({"usage_output_tokens": "many"}, "usage_output_tokens: 'many' is no number"),
        ({"usage_output_tokens": "NaN"}, "usage_output_tokens: 'NaN' is no number"),
        ({"usage_output_tokens": "Infinity"}, "usage_output_tokens: 'Infinity' is no number"),
        ({"model_version": " "}, "model_version is empty"),
    ],
)
def test_a_row_that_says_nothing_says_why(change: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        row_of(KNOWN_FORMS[0], TOKENS | change)


@pytest.mark.parametrize(("last", "covers_one"), [("2026-05-10", True), ("2026-05-11", True), ("2026-05-31", False)])
def test_a_row_that_covers_several_days_says_nothing_of_one(last: str, covers_one: bool) -> None:
    form = form_of([*GOODS])
    assert form is not None
    cells = GOODS | {"Usage end date": last}

    if covers_one:
        assert row_of(form, cells).day == DAY
        return
    with pytest.raises(ValueError, match="Usage end date: it covers the days until 2026-05-31"):
        row_of(form, cells)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Claude Opus 4.5", "claude-opus-4-5-20251101"),
        ("Claude Sonnet 5.5", "claude-sonnet-5-5"),
        ("Claude 3.5 Sonnet 2024-10-22", "claude-3-5-sonnet-20241022"),
    ],
)
def test_a_model_has_one_key_however_it_is_written(theirs: str, ours: str) -> None:
    assert model_key(theirs) == model_key(ours)


def test_a_model_may_be_said_to_be_another() -> None:
    model_of = matcher(KNOWN_FORMS[0], ["claude-opus-4-5"], {"research-preview": "claude-opus-4-5"})

    assert model_of("research-preview") == "claude-opus-4-5"
    assert model_of("claude-haiku-4-5") == "claude-haiku-4-5"
    assert model_of("other-model") is None


def test_an_export_may_be_described_column_by_column() -> None:
    columns = {"date": ("Day",), "model": ("Model",), "output_tokens": ("Text", "Thoughts")}
    form = chosen_form(columns, prefix="", timezone=None)
    assert form is not None

    row = row_of(form, {"Day": "2026-05-10T07:00:00", "Model": "m", "Text": "1", "Thoughts": "2"})

    assert row.figures == {Measure.OUTPUT: (3, 0)}
    assert form.measures == {Measure.OUTPUT}
    assert chosen_form({}, prefix="", timezone=None) is None


@pytest.mark.parametrize(
    "columns",
    [
        {"date": ("Day",), "model": ("Model",)},
        {"date": ("Day",), "output_tokens": ("Text",)},
        {"date": ("Day",), "model": ("Model",), "price": ("Cost",)},
        {"date": ("Day",), "model": ("Model",), "amount": ("Amount",)},
    ],
)
def test_a_description_that_says_too_little_is_refused(columns: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(BadInput, match="column"):
        chosen_form(columns, prefix="", timezone=None)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Amérique"])
def test_a_place_that_has_no_days_of_its_own_is_refused(zone: str) -> None:
    columns = {"date": ("Day",), "model": ("Model",), "output_tokens": ("Text",)}

    with pytest.raises(BadInput, match="timezone"):
        chosen_form(columns, prefix="", timezone=zone)


def test_what_differs_by_no_more_than_their_rounding_is_no_difference() -> None:
    theirs = VendorSums()
    for cost in ("0.12", "0.03"):
        theirs.add({Measure.COST: (Decimal(cost), Decimal("0.005"))})
    key = (DAY, "claude-opus-4-5")

    def found(ours: str) -> list[Decimal]:
        compared = differences({key: {Measure.COST: Decimal(ours)}}, {key: theirs}, {Measure.COST})
        return [each.difference for each in compared]

    assert found("0.16") == found("0.14") == []
    assert found("0.16000001") == [Decimal("-0.01000001")]


def test_a_day_that_one_side_does_not_have_counts_as_nothing_there() -> None:
    theirs = VendorSums()
    theirs.add({Measure.INPUT: (Decimal(5), Decimal(0))})
    ours = {(date(2026, 5, 11), "m"): {Measure.INPUT: Decimal(7), Measure.COST: Decimal(1)}}

    found = differences(ours, {(DAY, "m"): theirs}, {Measure.INPUT})

    assert [(each.day.day, each.ours, each.vendors) for each in found] == [(10, 0, 5), (11, 7, 0)]
