"""What a call of an engine consumed, what that costs, and what it can cost at most.

Prices come from the data that `genai-prices` carries; nothing is fetched, and the caller says when the call was made.
"""

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

import genai_prices
from genai_prices.types import PriceCalculation, TieredPrices
from pydantic import BaseModel, ConfigDict, Field

from maos.errors import UnpricedModel
from maos.usage import TokenUsage

# Whose price list a family of models is in.
_PROVIDERS = {"claude-": "anthropic", "gemini-": "google"}
# Money is stored with eight decimals.
_STORED = Decimal("1e-8")
# Inference bound to one region costs a tenth more on every class of tokens; the price data does not know of it.
REGION_FACTOR = Decimal("1.1")
# What the API adds to a request by itself: framing, and instructions for structured output.
_OVERHEAD_TOKENS = 2048


class Cost(BaseModel):
    """A price in US dollars, with the price list it was taken from."""

    model_config = ConfigDict(frozen=True)

    usd: Decimal
    price_list: str = Field(description="Name and version of the price data.")


def cost_of(usage: TokenUsage, model: str, at: datetime) -> Cost:
    """Price what a call used, by the prices in force when it was made.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    exact, price_list = _price(usage, model, at)
    return Cost(usd=exact.quantize(_STORED, ROUND_HALF_EVEN), price_list=price_list)


def ceiling_of(*, sent_bytes: int, max_output_tokens: int, model: str, at: datetime) -> Decimal:
    """Return the most that a call can cost, before it is made.

    Args:
        sent_bytes: UTF-8 bytes of everything sent: system, user and schema. A token is never shorter than a byte.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    prompt = sent_bytes + _OVERHEAD_TOKENS
    # Within a band the price is linear in each class, so the dearest usage has all its input in a single class.
    dearest = (
        TokenUsage(input_tokens=prompt, output_tokens=max_output_tokens, in_region=True),
        TokenUsage(cache_read_tokens=prompt, output_tokens=max_output_tokens, in_region=True),
        TokenUsage(cache_write_5m_tokens=prompt, output_tokens=max_output_tokens, in_region=True),
        TokenUsage(cache_write_1h_tokens=prompt, output_tokens=max_output_tokens, in_region=True),
    )
    return max(_price(usage, model, at)[0] for usage in dearest).quantize(_STORED, ROUND_CEILING)


def bands_of(model: str, at: datetime) -> tuple[int, ...]:
    """Return the lengths of a prompt, in tokens, above which other prices count; 0 comes first.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    prices = vars(_calculated(TokenUsage(), model, at).model_price).values()
    starts = {tier.start for price in prices if isinstance(price, TieredPrices) for tier in price.tiers}
    return (0, *sorted(starts))


def image_ceiling_of(*, sent_bytes: int, max_output_tokens: int, model: str, at: datetime) -> Decimal:
    """Return the most that a call for an image can cost, before it is made: all of its output may be the image.

    Args:
        sent_bytes: UTF-8 bytes of the prompt. A token is never shorter than a byte.

    Raises:
        UnpricedModel: when no price is known for the model, or for images of it.
    """
    dearest = TokenUsage(input_tokens=sent_bytes + _OVERHEAD_TOKENS, image_tokens=max_output_tokens)
    return _price(dearest, model, at)[0].quantize(_STORED, ROUND_CEILING)


def _price(usage: TokenUsage, model: str, at: datetime) -> tuple[Decimal, str]:
    price = _calculated(usage, model, at)
    if not price.total_price and usage.prompt_tokens + usage.all_output_tokens:
        raise UnpricedModel(model)
    # Without a price of its own, the library would charge an image as text.
    if usage.image_tokens and price.model_price.output_image_mtok is None:
        raise UnpricedModel(model)
    factor = REGION_FACTOR if usage.in_region else Decimal(1)
    return price.total_price * factor, _price_list(price.auto_update_timestamp)


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
