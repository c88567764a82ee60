"""The price list as people read it: dollars for a million tokens, by class of tokens and length of the prompt."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from maos.pricing import bands_of, cost_of
from maos.usage import TokenUsage

_MILLION = 1_000_000
# The classes of input; output comes beside them.
_INPUTS = {
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
}


class TokenPrice(BaseModel):
    """The price of one class of tokens."""

    model_config = ConfigDict(frozen=True)

    model: str
    token_class: str
    above_prompt_tokens: int = Field(description="Counts for prompts longer than this, up to the next such length.")
    usd_per_million: Decimal


def prices_of(model: str, at: datetime) -> tuple[TokenPrice, ...]:
    """Return every price of a model that was in force at a time, as calls are charged by it.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    bands = bands_of(model, at)
    return tuple(
        TokenPrice(model=model, token_class=name, above_prompt_tokens=above, usd_per_million=price)
        for above, longest in zip(bands, (*bands[1:], bands[-1] + _MILLION), strict=True)
        for name, price in _prices_for(longest, model, at)
    )


def _prices_for(prompt: int, model: str, at: datetime) -> Iterator[tuple[str, Decimal]]:
    # Asked of what charges the calls: a list read beside it could say something else.
    without = cost_of(TokenUsage(input_tokens=prompt), model, at).usd
    for name, field in _INPUTS.items():
        yield name, cost_of(TokenUsage(**{field: prompt}), model, at).usd * _MILLION / prompt
    written = cost_of(TokenUsage(input_tokens=prompt, output_tokens=_MILLION), model, at).usd
    yield "output", written - without


def price_list_of(model: str, at: datetime) -> str:
    """Return name and version of the price data.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    return cost_of(TokenUsage(), model, at).price_list
