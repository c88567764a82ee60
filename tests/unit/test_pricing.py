"""Costs are what the price list says; a ceiling is never below a cost."""

import itertools
import pickle
import socket
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from maos.errors import EngineFailure, UnpricedModel
from maos.failures import FailureKind
from maos.images import IMAGE_MODEL
from maos.pricing import ceiling_of, cost_of, image_ceiling_of
from maos.usage import Receipt, TokenUsage

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
CLASSES = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        ("claude-sonnet-5-5", TokenUsage(input_tokens=1000), "0.002"),
        ("claude-sonnet-5-5", TokenUsage(output_tokens=100), "0.001"),
        ("claude-sonnet-5-5", TokenUsage(cache_read_tokens=7), "0.0000007"),
        ("claude-sonnet-5-5", TokenUsage(cache_write_5m_tokens=10), "0.000025"),
        ("claude-sonnet-5-5", TokenUsage(cache_write_1h_tokens=20), "0.00008"),
        (
            "claude-sonnet-5-5",
            TokenUsage(
                input_tokens=1000,
                output_tokens=100,
                cache_read_tokens=7,
                cache_write_5m_tokens=10,
                cache_write_1h_tokens=20,
            ),
            "0.0031057",
        ),
        ("claude-opus-5-5", TokenUsage(input_tokens=1000, output_tokens=1000), "0.024"),
        ("claude-haiku-5-5", TokenUsage(input_tokens=100_000), "0.01"),
        ("claude-haiku-5-5", TokenUsage(input_tokens=100_001), "0.0500005"),
        ("claude-haiku-5-5", TokenUsage(cache_read_tokens=100_001, output_tokens=1000), "0.00750005"),
        ("claude-sonnet-5-5", TokenUsage(input_tokens=1000, in_region=True), "0.0022"),
        ("claude-sonnet-5-5", TokenUsage(), "0"),
    ],
)
def test_each_class_of_tokens_has_its_price(model: str, usage: TokenUsage, usd: str) -> None:
    assert cost_of(usage, model, AT).usd == Decimal(usd)


def test_a_cost_says_which_price_list_it_is_from() -> None:
    assert cost_of(TokenUsage(input_tokens=1), MODELS[0], AT).price_list.startswith("genai-prices 0.2.")


def test_prices_are_those_in_force_when_the_call_was_made() -> None:
    usage = TokenUsage(input_tokens=300_000)

    assert cost_of(usage, "claude-opus-4-6", datetime(2026, 3, 12, tzinfo=UTC)).usd == 3
    assert cost_of(usage, "claude-opus-4-6", datetime(2026, 3, 13, tzinfo=UTC)).usd == Decimal("1.5")


@pytest.mark.parametrize("model", ["claude-sonnet-9", "gpt-5", "gemini-9-image", ""])
def test_a_model_without_a_price_is_refused_and_never_free(model: str) -> None:
    with pytest.raises(UnpricedModel, match="no price is known"):
        cost_of(TokenUsage(input_tokens=1), model, AT)
    with pytest.raises(UnpricedModel, match="no price is known"):
        ceiling_of(sent_bytes=1, max_output_tokens=1, model=model, at=AT)


def test_an_image_is_never_priced_as_text() -> None:
    assert cost_of(TokenUsage(output_tokens=1000), IMAGE_MODEL, AT).usd == Decimal("0.003")
    assert cost_of(TokenUsage(image_tokens=1000), IMAGE_MODEL, AT).usd == Decimal("0.06")
    with pytest.raises(UnpricedModel):
        image_ceiling_of(sent_bytes=1, max_output_tokens=1, model="claude-sonnet-5-5", at=AT)


def _splits(prompt: int) -> list[dict[str, int]]:
    whole = [{name: prompt} for name in CLASSES]
    halves = [
        {first: prompt // 2, second: prompt - prompt // 2} for first, second in itertools.combinations(CLASSES, 2)
    ]
    return [*whole, *halves, {name: prompt // 4 for name in CLASSES}]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sent_bytes", [0, 1, 900, 97_951, 97_952, 97_953, 100_001, 400_000, 1_000_000])
@pytest.mark.parametrize("max_output_tokens", [1, 4096, 128_000])
def test_no_usage_costs_more_than_the_ceiling(model: str, sent_bytes: int, max_output_tokens: int) -> None:
    ceiling = ceiling_of(sent_bytes=sent_bytes, max_output_tokens=max_output_tokens, model=model, at=AT)
    prompts = {0, 1, sent_bytes // 4, sent_bytes // 2, sent_bytes, sent_bytes + 2048}
    outputs = (0, 1, max_output_tokens // 2, max_output_tokens)
    costs = [
        cost_of(TokenUsage(**split, output_tokens=output, in_region=in_region), model, AT).usd
        for prompt, output, in_region in itertools.product(prompts, outputs, (False, True))
        for split in _splits(prompt)
    ]

    assert max(costs) <= ceiling


def test_a_ceiling_is_the_dearest_class_of_input_and_all_of_the_output() -> None:
    # 10,000 bytes and 2,048 tokens of overhead at 4 USD, 1,000 tokens at 10 USD a million; a tenth more for a region.
    expected = (Decimal(12_048) * 4 + Decimal(1000) * 10) / 1_000_000 * Decimal("1.1")

    assert ceiling_of(sent_bytes=10_000, max_output_tokens=1000, model="claude-sonnet-5-5", at=AT) == expected


def test_money_is_kept_to_eight_decimals_and_a_ceiling_is_rounded_up() -> None:
    cost = cost_of(TokenUsage(input_tokens=1, cache_read_tokens=3, in_region=True), "claude-haiku-5-5", AT).usd
    ceiling = ceiling_of(sent_bytes=1, max_output_tokens=1, model="claude-haiku-5-5", at=AT)

    assert cost == Decimal("0.00000014")
    assert ceiling == Decimal("0.00045133")


def test_pricing_uses_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    assert cost_of(TokenUsage(output_tokens=1_000_000), "claude-sonnet-5-5", AT).usd == 10


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        TokenUsage(input_tokens=-1)


def test_a_failure_pickles_with_its_receipt() -> None:
    usage = TokenUsage(input_tokens=812, output_tokens=3)
    receipt = Receipt(model=MODELS[0], request_id="req_1", usage=usage, raw_usage={"input_tokens": 812}, final=True)

    copy = pickle.loads(pickle.dumps(EngineFailure(FailureKind.DECLINED, "no", 2.0, receipt)))  # noqa: S301

    assert (copy.kind, copy.detail, copy.retry_after, copy.receipt) == (FailureKind.DECLINED, "no", 2.0, receipt)


def test_an_unpriced_model_pickles() -> None:
    copy = pickle.loads(pickle.dumps(UnpricedModel("claude-sonnet-9")))  # noqa: S301

    assert copy.model == "claude-sonnet-9"
