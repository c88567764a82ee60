"""The price list shows what calls are charged by."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from maos.errors import UnpricedModel
from maos.price_list import price_list_of, prices_of

AT = datetime(2026, 11, 20, tzinfo=UTC)


def _prices(model: str, at: datetime) -> dict[tuple[str, int], Decimal]:
    return {(price.token_class, price.above_prompt_tokens): price.usd_per_million for price in prices_of(model, at)}


def test_a_model_with_one_price_for_every_prompt_has_a_row_for_each_class() -> None:
    assert _prices("claude-sonnet-5-5", AT) == {
        ("input", 0): 2,
        ("cache_read", 0): Decimal("0.1"),
        ("cache_write_5m", 0): Decimal("2.5"),
        ("cache_write_1h", 0): 4,
        ("output", 0): 10,
    }


def test_longer_prompts_may_have_other_prices() -> None:
    assert _prices("claude-haiku-5-5", AT) == {
        ("input", 0): Decimal("0.1"),
        ("cache_read", 0): Decimal("0.01"),
        ("cache_write_5m", 0): Decimal("0.125"),
        ("cache_write_1h", 0): Decimal("0.2"),
        ("output", 0): Decimal("0.5"),
        ("input", 100_000): Decimal("0.5"),
        ("cache_read", 100_000): Decimal("0.05"),
        ("cache_write_5m", 100_000): Decimal("0.625"),
        ("cache_write_1h", 100_000): 1,
        ("output", 100_000): Decimal("2.5"),
    }


def test_prices_are_those_in_force_at_the_time() -> None:
    before = _prices("claude-opus-4-6", datetime(2026, 3, 12, tzinfo=UTC))
    after = _prices("claude-opus-4-6", datetime(2026, 3, 13, tzinfo=UTC))

    assert (before["input", 0], before["input", 200_000], before["output", 200_000]) == (5, 10, Decimal("37.5"))
    assert (after["input", 0], after["output", 0], len(after)) == (5, 25, 5)


def test_a_model_without_a_price_has_no_rows() -> None:
    with pytest.raises(UnpricedModel):
        prices_of("claude-sonnet-9", AT)


def test_the_price_list_has_a_version() -> None:
    assert price_list_of("claude-sonnet-5-5", AT).startswith("genai-prices 0.2.")
