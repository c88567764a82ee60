"""The price list as people read it: dollars for a million tokens, by class of tokens and length of the prompt."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from maos.errors import UnpricedModel
from maos.pricing import INPUT_CLASSES, bands_of
from maos.tariffs import Tariff
from maos.usage import TokenUsage

_MILLION = 1_000_000


class TokenPrice(BaseModel):
    """The price of one class of tokens."""

    model_config = ConfigDict(frozen=True)

    model: str
    token_class: str
    above_prompt_tokens: int = Field(description="Counts for prompts longer than this, up to the next such length.")
    usd_per_million: Decimal


def prices_of(model: str, at: datetime, tariff: Tariff | None = None) -> tuple[TokenPrice, ...]:
    """Return every price of a model that was in force at a time, as calls are charged by it.

    Args:
        tariff: an organisation's own at this time; without it the list counts.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    bands = bands_of(model, at)
    return tuple(
        TokenPrice(model=model, token_class=name, above_prompt_tokens=above, usd_per_million=price)
        for above, longest in zip(bands, (*bands[1:], bands[-1] + _MILLION), strict=True)
        for name, price in _prices_for(longest, model, tariff or Tariff(at=at))
    )


def _prices_for(prompt: int, model: str, tariff: Tariff) -> Iterator[tuple[str, Decimal]]:
    # Asked of what charges the calls: a list read beside it could say something else.
    without = tariff.cost_of(TokenUsage(input_tokens=prompt), model).usd
    for name, field in INPUT_CLASSES.items():
        yield name, tariff.cost_of(TokenUsage(**{field: prompt}), model).usd * _MILLION / prompt
    for name in ("output", "image"):
        try:
            written = tariff.cost_of(TokenUsage(**{"input_tokens": prompt, f"{name}_tokens": _MILLION}), model)
        except UnpricedModel:
            continue
        yield name, written.usd - without


def price_list_of(model: str, at: datetime) -> str:
    """Return name and version of the price data.

    Raises:
        UnpricedModel: when no price is known for the model.
    """
    return Tariff(at=at).cost_of(TokenUsage(), model).price_list
