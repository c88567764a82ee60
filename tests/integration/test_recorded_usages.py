"""Over usages as the vendors record them, of every shape, no call is charged more than was reserved for it."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from maos.images import IMAGE_MODEL, MAX_OUTPUT_TOKENS
from maos.price_overrides import PriceOverride, TokenClass
from maos.tariffs import Tariff
from tasks import illustrator, writer

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
WRITTEN: list[dict[str, Any]] = [
    {"input_tokens": 812, "output_tokens": 164, "inference_geo": "global"},
    {"input_tokens": 812, "output_tokens": 4096, "output_tokens_details": {"thinking_tokens": 4000}},
    # Only the start of a stream splits what was written to the cache by its age.
    {"input_tokens": 3, "cache_creation_input_tokens": 2100, "output_tokens": 90},
    {
        "input_tokens": 3,
        "cache_creation_input_tokens": 5100,
        "cache_creation": {"ephemeral_5m_input_tokens": 3000, "ephemeral_1h_input_tokens": 2100},
        "cache_read_input_tokens": 9000,
        "output_tokens": 1200,
    },
    {"input_tokens": 0, "cache_read_input_tokens": 190_000, "output_tokens": 1, "service_tier": "standard"},
    {
        "input_tokens": 1,
        "cache_creation_input_tokens": 99_999,
        "cache_creation": {"ephemeral_1h_input_tokens": 99_999},
        "output_tokens": 8,
        "inference_geo": "us",
    },
    # Around the length above which some models cost more.
    {"input_tokens": 100_000, "output_tokens": 4096, "inference_geo": "eu"},
    {"input_tokens": 100_001, "output_tokens": 4096, "cache_read_input_tokens": None},
    {
        "input_tokens": 60_000,
        "cache_read_input_tokens": 60_000,
        "output_tokens": 4096,
        "inference_geo": "not_available",
    },
    {"input_tokens": 812, "output_tokens": 0, "server_tool_use": None},
]
DRAWN: list[dict[str, Any]] = [
    {"promptTokenCount": 12, "candidatesTokenCount": 1120, "thoughtsTokenCount": 80}
    | {"candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}]},
    {"promptTokenCount": 12, "candidatesTokenCount": 1300},
    {"promptTokenCount": 4000, "cachedContentTokenCount": 3900, "candidatesTokenCount": 1290}
    | {"candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 170}, {"modality": "IMAGE", "tokenCount": 1120}]},
    {"promptTokenCount": 12, "toolUsePromptTokenCount": 900, "thoughtsTokenCount": MAX_OUTPUT_TOKENS},
    {"promptTokenCount": 12},
]


def _tariff(markup: str = "0", **rates: str) -> Tariff:
    agreed = PriceOverride(
        id=UUID(int=1),
        model="*",
        rates={TokenClass(name): Decimal(rate) for name, rate in rates.items()},
        markup_percent=Decimal(markup),
        effective_from=AT,
        set_by="owner@demo.example",
        set_at=AT,
    )
    return Tariff(at=AT, overrides=(agreed,))


TARIFFS = [
    Tariff(at=AT),
    _tariff("35"),
    _tariff("-100"),
    _tariff(input="0", output="0"),
    _tariff("12.5", cache_read="40"),
    _tariff("-50", output="900", image="0.01"),
    _tariff("10", cache_write_5m="0", cache_write_1h="0", input="0.0001"),
]


@pytest.mark.parametrize("tariff", TARIFFS)
@pytest.mark.parametrize("raw", WRITTEN)
def test_no_answer_is_charged_more_than_was_reserved(raw: dict[str, Any], tariff: Tariff) -> None:
    usage = writer.usage_of(raw)
    for model, counted in itertools.product(MODELS, (None, usage.prompt_tokens)):
        ceiling = tariff.ceiling_of(
            # The least that a prompt of so many tokens can have, and what a text of words would have.
            sent_bytes=usage.prompt_tokens * (1 if counted is None else 4),
            max_output_tokens=usage.output_tokens,
            model=model,
            counted_tokens=counted,
        )
        charge = tariff.cost_of(usage, model)

        assert charge.usd <= ceiling
        assert charge.list_usd > 0


@pytest.mark.parametrize("tariff", TARIFFS)
@pytest.mark.parametrize("raw", DRAWN)
def test_no_image_is_charged_more_than_was_reserved(raw: dict[str, Any], tariff: Tariff) -> None:
    usage = illustrator.usage_of(raw)
    ceiling = tariff.image_ceiling_of(
        sent_bytes=usage.prompt_tokens, max_output_tokens=MAX_OUTPUT_TOKENS, model=IMAGE_MODEL
    )

    assert tariff.cost_of(usage, IMAGE_MODEL).usd <= ceiling


@pytest.mark.parametrize("off_by", [Decimal("0.91"), Decimal("0.95"), Decimal(1), Decimal("1.3")])
@pytest.mark.parametrize("raw", WRITTEN)
def test_a_count_that_is_off_by_the_documented_little_keeps_the_ceiling(raw: dict[str, Any], off_by: Decimal) -> None:
    usage, tariff = writer.usage_of(raw), Tariff(at=AT)
    ceiling = tariff.ceiling_of(
        sent_bytes=usage.prompt_tokens * 4,
        max_output_tokens=usage.output_tokens,
        model=MODELS[1],
        counted_tokens=int(usage.prompt_tokens * off_by),
    )

    assert tariff.cost_of(usage, MODELS[1]).usd <= ceiling
