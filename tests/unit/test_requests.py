from decimal import Decimal

import pytest
from pydantic import ValidationError

from maos.requests import GenerateReportRequest

GOOD = {"org": "demo", "initiator": "author@demo.example", "dataset": "orders.csv", "title": "Orders"}


def test_a_small_request_is_enough() -> None:
    request = GenerateReportRequest.model_validate(GOOD)

    assert request.measures == ()
    assert request.autonomy is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", "red"),
        ("initiator", "nobody"),
        ("title", ""),
        ("title", "x" * 201),
        ("autonomy", "reckless"),
        ("cost_cap_usd", "-1"),
        ("cost_cap_usd", "NaN"),
        ("token_cap", "-5"),
        ("token_cap", "1.5"),
        ("call_cap", "many"),
        ("measures", "revenue"),
        ("measures", ["m"] * 9),
    ],
)
def test_a_bad_value_is_refused_by_its_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        GenerateReportRequest.model_validate({**GOOD, field: value})

    assert refused.value.errors()[0]["loc"][0] == field


def test_money_stays_exact_through_json() -> None:
    request = GenerateReportRequest.model_validate({**GOOD, "cost_cap_usd": "0.10000001"})

    assert GenerateReportRequest.model_validate_json(request.model_dump_json()).cost_cap_usd == Decimal("0.10000001")
