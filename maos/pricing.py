"""What a call of an engine consumed, what that costs, and what it can cost at most.

Prices come from the data that `genai-prices` carries; nothing is fetched, and the caller says when the call was made.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

import genai_prices
from genai_prices.types import PriceCalculation, TieredPrices
from pydantic import BaseModel, ConfigDict, Field

from maos.errors import UnpricedModel
from maos.usage import TokenUsage

# Whose price list a family of models is in.
_PROVIDERS = {"claude-": "anthropic", "gemini-": "google"}
# The classes of input as the price list calls them, with the counts they are priced by; output comes beside them.
INPUT_CLASSES = {
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
}
# Money is stored with eight decimals.
_STORED = Decimal("1e-8")
# Inference bound to one region costs a tenth more on every class of tokens; the price data does not know of it.
REGION_FACTOR = Decimal("1.1")
# What the API adds to a request by itself: framing, and instructions for structured output.
_OVERHEAD_TOKENS = 2048
# Prose has four to five bytes a token, JSON less. A count of fewer tokens comes from something that does not count.
_MOST_BYTES_A_TOKEN = 8
# What an estimate may be off by.
_SPARE = Decimal("1.1")


class Cost(BaseModel):
    """A price in US dollars, with the price list it was taken from."""

    model_config = ConfigDict(frozen=True)

    usd: Decimal
    price_list: str = Field(description="Name and version of the price data.")


def cost_of(usage: TokenUsage, model: str, at: datetime) -> Cost:
    """Price what a call used, by the list prices in force when it was made.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    exact = exact_cost_of(usage, model, at)
    return exact.model_copy(update={"usd": as_stored(exact.usd)})


def exact_cost_of(usage: TokenUsage, model: str, at: datetime) -> Cost:
    """Return the same before it is rounded to how money is stored.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    price = _calculated(usage, model, at)
    if not price.total_price and usage.prompt_tokens + usage.all_output_tokens:
        raise UnpricedModel(model)
    # Without a price of its own, the library would charge an image as text.
    if usage.image_tokens and price.model_price.output_image_mtok is None:
        raise UnpricedModel(model)
    factor = REGION_FACTOR if usage.in_region else Decimal(1)
    return Cost(usd=price.total_price * factor, price_list=_price_list(price.auto_update_timestamp))


def as_stored(usd: Decimal) -> Decimal:
    """Return an amount of money as it is stored."""
    return usd.quantize(_STORED, ROUND_HALF_EVEN)


def ceiling_of(*, sent_bytes: int, max_output_tokens: int, model: str, at: datetime) -> Decimal:
    """Return the most that a call can cost by the list, before it is made.

    Args:
        sent_bytes: UTF-8 bytes of everything sent: system, user and schema. A token is never shorter than a byte.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    usages = dearest_usages(
        most_prompt_tokens(sent_bytes), max_output_tokens=max_output_tokens, bands=bands_of(model, at)
    )
    return highest(exact_cost_of(usage, model, at).usd for usage in usages)


def image_ceiling_of(*, sent_bytes: int, max_output_tokens: int, model: str, at: datetime) -> Decimal:
    """Return the most that a call for an image can cost by the list, before it is made.

    Args:
        sent_bytes: UTF-8 bytes of the prompt. A token is never shorter than a byte.

    Raises:
        UnpricedModel: when no price is known for the model, or for images of it.
    """
    usages = dearest_image_usages(
        most_prompt_tokens(sent_bytes), max_output_tokens=max_output_tokens, bands=bands_of(model, at)
    )
    return highest(exact_cost_of(usage, model, at).usd for usage in usages)


def most_prompt_tokens(sent_bytes: int, counted_tokens: int | None = None) -> int:
    """Return the most tokens that so many bytes can become, with what the API adds by itself.

    Args:
        counted_tokens: what the engine's own counter says. Its vendor calls that an estimate, off by a small amount:
            a tenth is added, and a count that no text could have is not believed.
    """
    if counted_tokens is None or counted_tokens * _MOST_BYTES_A_TOKEN < sent_bytes:
        return sent_bytes + _OVERHEAD_TOKENS
    return min(sent_bytes, math.ceil(counted_tokens * _SPARE)) + _OVERHEAD_TOKENS


def dearest_usages(prompt_tokens: int, *, max_output_tokens: int, bands: Sequence[int]) -> Iterator[TokenUsage]:
    """Yield usages of which one costs at least as much as any usage within these limits.

    Within a band the price is linear in each class, so the dearest usage has all its input in a single class and is
    as long as the band allows. No order of the prices is assumed, neither of classes nor of bands.
    """
    for prompt in _longest_in_each_band(prompt_tokens, bands):
        for name in INPUT_CLASSES.values():
            yield TokenUsage(**{name: prompt}, output_tokens=max_output_tokens, in_region=True)


def dearest_image_usages(prompt_tokens: int, *, max_output_tokens: int, bands: Sequence[int]) -> Iterator[TokenUsage]:
    """Yield the same for a call for an image: all of its output may be the image, or none."""
    for prompt in _longest_in_each_band(prompt_tokens, bands):
        for sent in ("input_tokens", "cache_read_tokens"):
            yield TokenUsage(**{sent: prompt}, image_tokens=max_output_tokens)
            yield TokenUsage(**{sent: prompt}, output_tokens=max_output_tokens)


def highest(amounts: Iterable[Decimal]) -> Decimal:
    """Return the largest amount as a ceiling is stored: rounded up."""
    return max(amounts).quantize(_STORED, ROUND_CEILING)


def _longest_in_each_band(prompt_tokens: int, bands: Sequence[int]) -> Iterator[int]:
    # A band begins above its length, so that a prompt of just that length is the longest of the band before.
    yield from (start for start in bands if 0 < start < prompt_tokens)
    yield prompt_tokens


def bands_of(model: str, at: datetime) -> tuple[int, ...]:
    """Return the lengths of a prompt, in tokens, above which other prices count; 0 comes first.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    prices = vars(_calculated(TokenUsage(), model, at).model_price).values()
    starts = {tier.start for price in prices if isinstance(price, TieredPrices) for tier in price.tiers}
    return (0, *sorted(starts))


def _calculated(usage: TokenUsage, model: str, at: datetime) -> PriceCalculation:
    provider = next((provider for family, provider in _PROVIDERS.items() if model.startswith(family)), None)
    if provider is None:
        raise UnpricedModel(model)
    try:
        return genai_prices.calc_price(_as_priced(usage), model, provider_id=provider, genai_request_timestamp=at)
    except LookupError:
        raise UnpricedModel(model) from None


def _as_priced(usage: TokenUsage) -> genai_prices.Usage:
    # The library's input, output and cache-write counts include the classes below them.
    return genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.all_output_tokens,
        output_image_tokens=usage.image_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
    )


def _price_list(updated_at: datetime | None) -> str:
    version = f"genai-prices {genai_prices.__version__}"
    return version if updated_at is None else f"{version} of {updated_at.isoformat()}"
