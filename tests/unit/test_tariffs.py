"""An organisation is charged by what was agreed with it when the call was made; a ceiling is never below that."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest

from maos.errors import BadInput, UnpricedModel
from maos.images import IMAGE_MODEL
from maos.price_list import prices_of
from maos.price_overrides import (
    PriceOverride,
    TokenClass,
    checked_markup,
    checked_model,
    checked_rates,
    checked_start,
)
from maos.pricing import ceiling_of, cost_of, image_ceiling_of, most_prompt_tokens
from maos.tariffs import Tariff
from maos.usage import TokenUsage

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-5-5"
MODELS = ("claude-opus-5-5", SONNET, HAIKU)
# 3.1057 thousandths of a dollar by the list: 2 + 1 + 0.0007 + 0.025 + 0.08.
MIXED = TokenUsage(
    input_tokens=1000, output_tokens=100, cache_read_tokens=7, cache_write_5m_tokens=10, cache_write_1h_tokens=20
)


def override(model: str = "*", *, days: int = -1, number: int = 1, markup: str = "0", **rates: str) -> PriceOverride:
    start = AT + timedelta(days=days)
    return PriceOverride(
        id=UUID(int=number),
        model=model,
        rates={TokenClass(name): Decimal(rate) for name, rate in rates.items()},
        markup_percent=Decimal(markup),
        effective_from=start,
        set_by="owner@demo.example",
        set_at=start - timedelta(days=1),
    )


def charged(usage: TokenUsage, *overrides: PriceOverride, model: str = SONNET) -> Decimal:
    return Tariff(at=AT, overrides=overrides).cost_of(usage, model).usd


@pytest.mark.parametrize(
    ("agreed", "usage", "usd"),
    [
        ({}, MIXED, "0.0031057"),
        ({"markup": "20"}, MIXED, "0.00372684"),
        ({"markup": "-100"}, MIXED, "0"),
        # A negotiated rate replaces its class alone.
        ({"input": "1.5"}, MIXED, "0.0026057"),
        ({"output": "4"}, MIXED, "0.0025057"),
        ({"cache_write_1h": "0"}, MIXED, "0.0030257"),
        # The markup is on the rest: (3.1057 - 2) * 1.1 + 1.5.
        ({"input": "1.5", "markup": "10"}, MIXED, "0.00271627"),
        # It counts wherever the call is worked on; the rest costs a tenth more there.
        ({"input": "1.5"}, MIXED.model_copy(update={"in_region": True}), "0.00271627"),
        ({"input": "3"}, TokenUsage(input_tokens=1000, in_region=True), "0.003"),
    ],
)
def test_rates_replace_their_class_and_a_markup_is_on_the_rest(
    agreed: dict[str, str], usage: TokenUsage, usd: str
) -> None:
    assert charged(usage, override(**agreed)) == Decimal(usd)


def test_a_negotiated_rate_has_no_bands_and_leaves_the_others_theirs() -> None:
    agreed = override(input="0.2")
    short, long = TokenUsage(input_tokens=100_000), TokenUsage(input_tokens=100_001)
    cached = TokenUsage(input_tokens=1, cache_read_tokens=100_000, output_tokens=1000)

    assert charged(short, agreed, model=HAIKU) == Decimal("0.02")
    assert charged(long, agreed, model=HAIKU) == Decimal("0.0200002")
    # The list of a long prompt: 100,000 at 0.05 and 1,000 at 2.5 USD a million.
    assert charged(cached, agreed, model=HAIKU) == Decimal("0.0075002")


def test_an_image_has_a_rate_of_its_own() -> None:
    usage = TokenUsage(input_tokens=0, output_tokens=1000, image_tokens=1000)

    assert charged(usage, model=IMAGE_MODEL) == Decimal("0.063")
    assert charged(usage, override(image="30"), model=IMAGE_MODEL) == Decimal("0.033")


@pytest.mark.parametrize(
    ("overrides", "number"),
    [
        ([], None),
        ([override(days=1)], None),
        ([override(days=0)], 1),
        ([override(number=1, days=-9), override(number=2, days=-3), override(number=3, days=2)], 2),
        ([override("claude-*", number=1, days=-9), override(number=2)], 1),
        ([override("claude-*", number=1), override("claude-sonnet-*", number=2, days=-9)], 2),
        ([override("claude-sonnet-*", number=1), override(SONNET, number=2, days=-9)], 2),
        ([override("claude-haiku-*"), override("gemini-*"), override("claude-sonnet-5")], None),
    ],
)
def test_the_narrowest_and_of_those_the_newest_counts(overrides: list[PriceOverride], number: int | None) -> None:
    found = Tariff(at=AT, overrides=tuple(overrides)).in_force(SONNET)

    assert (found.id.int if found else None) == number


@pytest.mark.parametrize(
    ("model", "applies"), [(SONNET, True), (f"{SONNET}-20261001", True), (f"{SONNET}-mini", False), (HAIKU, False)]
)
def test_an_override_counts_for_releases_of_its_model(model: str, applies: bool) -> None:
    assert override(SONNET).applies_to(model) is applies


def test_a_charge_keeps_the_list_price_and_names_its_override() -> None:
    charge = Tariff(at=AT, overrides=(override(markup="20", number=7),)).cost_of(MIXED, SONNET)
    listed = cost_of(MIXED, SONNET, AT)

    assert (charge.list_usd, charge.usd) == (listed.usd, Decimal("0.00372684"))
    assert charge.price_list == f"{listed.price_list}; override {UUID(int=7)}"


def test_without_an_override_a_tariff_is_the_list() -> None:
    bare = Tariff(at=AT)

    for model, size, output in itertools.product(MODELS, (0, 97_951, 97_952, 97_953, 400_000), (1, 128_000)):
        asked: dict[str, Any] = {"sent_bytes": size, "max_output_tokens": output, "model": model}
        assert bare.ceiling_of(**asked) == ceiling_of(**asked, at=AT)
    image: dict[str, Any] = {"sent_bytes": 100, "max_output_tokens": 4096, "model": IMAGE_MODEL}
    assert bare.image_ceiling_of(**image) == image_ceiling_of(**image, at=AT)


def test_what_was_agreed_gives_no_price_to_a_model_that_has_none() -> None:
    agreed = Tariff(at=AT, overrides=(override(input="1", output="1"),))

    with pytest.raises(UnpricedModel):
        agreed.cost_of(TokenUsage(input_tokens=1), "claude-sonnet-9")
    with pytest.raises(UnpricedModel):
        agreed.ceiling_of(sent_bytes=1, max_output_tokens=1, model="claude-sonnet-9")


def _agreed(random: Random) -> PriceOverride:
    """Return an agreement that may turn every order of prices around."""
    chosen = random.sample(list(TokenClass), random.randrange(len(TokenClass) + 1))
    rates = {each.value: str(random.choice((0, 0.01, 3, 700))) for each in chosen}
    return override(markup=str(random.choice((-100, -30, 0, 15, 1000))), **rates)


def _usage(random: Random, prompt: int, output: int) -> TokenUsage:
    """Return a usage of up to so many tokens, spread over the classes at random."""
    left = random.choice((prompt, random.randint(0, prompt)))
    counts = {}
    for name in ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens"):
        counts[name] = random.choice((0, left, random.randint(0, left)))
        left -= counts[name]
    written = random.choice((0, output, random.randint(0, output)))
    return TokenUsage(**counts, cache_write_1h_tokens=left, output_tokens=written, in_region=random.random() < 0.5)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(12))
def test_no_usage_is_charged_more_than_the_ceiling(model: str, seed: int) -> None:
    random = Random(f"{model} {seed}")  # noqa: S311 - the same every time
    for _ in range(4):
        tariff = Tariff(at=AT, overrides=(_agreed(random),))
        size, most = random.choice((0, 900, 97_952, 97_953, 400_000)), random.choice((1, 4096, 128_000))
        ceiling = tariff.ceiling_of(sent_bytes=size, max_output_tokens=most, model=model)
        for _ in range(12):
            usage = _usage(random, most_prompt_tokens(size), most)
            assert tariff.cost_of(usage, model).usd <= ceiling, (tariff, usage)


@pytest.mark.parametrize("seed", range(12))
def test_no_image_is_charged_more_than_its_ceiling(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same every time
    tariff = Tariff(at=AT, overrides=(_agreed(random),))
    ceiling = tariff.image_ceiling_of(sent_bytes=1000, max_output_tokens=4096, model=IMAGE_MODEL)
    for image, cached in itertools.product((0, 1, 1120, 4096), (0, 500, 3048)):
        usage = TokenUsage(
            input_tokens=3048 - cached, cache_read_tokens=cached, image_tokens=image, output_tokens=4096 - image
        )
        assert tariff.cost_of(usage, IMAGE_MODEL).usd <= ceiling, (tariff, usage)


@pytest.mark.parametrize(
    ("counted", "most"),
    [
        (None, 8000 + 2048),
        (2000, 2200 + 2048),
        (2001, 2202 + 2048),
        # Never more than the bytes, never a count that no text has.
        (9000, 8000 + 2048),
        (10**9, 8000 + 2048),
        (1000, 1100 + 2048),
        (999, 8000 + 2048),
        (0, 8000 + 2048),
        (-5, 8000 + 2048),
    ],
)
def test_a_count_tightens_what_the_bytes_allow_with_a_tenth_to_spare(counted: int | None, most: int) -> None:
    assert most_prompt_tokens(8000, counted) == most


def test_prices_are_shown_as_they_are_charged() -> None:
    tariff = Tariff(at=AT, overrides=(override(markup="50", output="4"),))
    shown = {price.token_class: price.usd_per_million for price in prices_of(SONNET, AT, tariff)}

    assert shown == {"input": 3, "cache_read": Decimal("0.15"), "cache_write_5m": Decimal("3.75"), "output": 4} | {
        "cache_write_1h": 6
    }


@pytest.mark.parametrize("name", [SONNET, IMAGE_MODEL, "claude-opus-4-6", "claude-*", "claude-sonnet-*", "*"])
def test_models_and_families_that_have_a_price_are_accepted(name: str) -> None:
    assert checked_model(name, (*MODELS, IMAGE_MODEL), AT) == name


@pytest.mark.parametrize("name", ["", "gpt-5", "claude-sonnet-9", "claude-sonet-*", "gpt-*", "**", "sonnet"])
def test_an_unknown_model_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked_model(name, (*MODELS, IMAGE_MODEL), AT)

    assert (refused.value.field, refused.value.value) == ("model", name)
    assert SONNET in refused.value.allowed


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"inputs": "1"}, "rate", "inputs"),
        ({"input": "-0.01"}, "rate input", "-0.01"),
        ({"input": "a lot"}, "rate input", "a lot"),
        ({"input": "NaN"}, "rate input", "NaN"),
        ({"output": "Infinity"}, "rate output", "Infinity"),
        ({"image": "0.00001"}, "rate image", "0.00001"),
        ({"cache_read": "100001"}, "rate cache_read", "100001"),
    ],
)
def test_a_rate_that_cannot_be_one_is_refused_by_name(given: dict[str, str], field: str, value: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked_rates(given)

    assert (refused.value.field, refused.value.value) == (field, value)


@pytest.mark.parametrize("given", ["-100.5", "1001", "ten", "1.00001", "nan", ""])
def test_a_markup_beyond_reason_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match="from -100 to 1000"):
        checked_markup(given)


def test_what_people_type_is_read() -> None:
    assert checked_rates({"input": "1.50", "cache_write_1h": "0"}) == {
        TokenClass.INPUT: Decimal("1.5"),
        TokenClass.CACHE_WRITE_1H: 0,
    }
    assert checked_markup("-12.5") == Decimal("-12.5")


def test_a_start_in_the_past_would_rewrite_history_and_is_refused() -> None:
    assert checked_start(AT, AT) == AT
    with pytest.raises(BadInput, match="maos prices recompute"):
        checked_start(AT - timedelta(microseconds=1), AT)
