"""What an organisation is charged for a call: the list price, and what was agreed with it at the time of the call."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from maos.price_overrides import PriceOverride, TokenClass
from maos.pricing import (
    Cost,
    as_stored,
    bands_of,
    dearest_image_usages,
    dearest_usages,
    exact_cost_of,
    highest,
    most_prompt_tokens,
)
from maos.usage import TokenUsage

_MILLION = 1_000_000
_INPUTS = frozenset(TokenClass) - {TokenClass.OUTPUT, TokenClass.IMAGE}


class Charge(Cost):
    """What an organisation is charged for a call, beside what the call costs by the list."""

    list_usd: Decimal = Field(description="The vendor's list price; operators may see it, clients may not.")


class Tariff(BaseModel):
    """The prices of one organisation at one time: that at which the call is made."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    overrides: tuple[PriceOverride, ...] = Field(default=(), description="All that the organisation ever had.")

    def in_force(self, model: str) -> PriceOverride | None:
        """Return the override that counts for a model: the narrowest, and of those the newest."""
        candidates = [each for each in self.overrides if each.effective_from <= self.at and each.applies_to(model)]
        return max(candidates, key=lambda each: (each.narrowness, each.effective_from, each.set_at), default=None)

    def cost_of(self, usage: TokenUsage, model: str) -> Charge:
        """Price what a call used.

        Raises:
            UnpricedModel: when no list price is known for the model, whatever was agreed.
        """
        listed, override = exact_cost_of(usage, model, self.at), self.in_force(model)
        source = f"{listed.price_list}; override {override.id}" if override else listed.price_list
        return Charge(usd=as_stored(self._charged(usage, model)), price_list=source, list_usd=as_stored(listed.usd))

    def ceiling_of(
        self, *, sent_bytes: int, max_output_tokens: int, model: str, counted_tokens: int | None = None
    ) -> Decimal:
        """Return the most that a call can cost, before it is made.

        Args:
            sent_bytes: UTF-8 bytes of everything sent.
            counted_tokens: what the engine's own counter says of it, where it was asked.

        Raises:
            UnpricedModel: when no list price is known for the model.
        """
        prompt, bands = most_prompt_tokens(sent_bytes, counted_tokens), bands_of(model, self.at)
        usages = dearest_usages(prompt, max_output_tokens=max_output_tokens, bands=bands)
        return highest(self._charged(usage, model) for usage in usages)

    def image_ceiling_of(self, *, sent_bytes: int, max_output_tokens: int, model: str) -> Decimal:
        """Return the most that a call for an image can cost, before it is made.

        Raises:
            UnpricedModel: when no list price is known for the model, or for images of it.
        """
        prompt, bands = most_prompt_tokens(sent_bytes), bands_of(model, self.at)
        usages = dearest_image_usages(prompt, max_output_tokens=max_output_tokens, bands=bands)
        return highest(self._charged(usage, model) for usage in usages)

    def _charged(self, usage: TokenUsage, model: str) -> Decimal:
        listed, override = exact_cost_of(usage, model, self.at).usd, self.in_force(model)
        if override is None:
            return listed
        agreed = Decimal(0)
        for token_class, rate in override.rates.items():
            listed -= self._listed_part(usage, token_class, model)
            agreed += token_class.count_in(usage) * rate / _MILLION
        return listed * (1 + override.markup_percent / 100) + agreed

    def _listed_part(self, usage: TokenUsage, token_class: TokenClass, model: str) -> Decimal:
        """Return what one class of a usage costs by the list, where the whole prompt decides the band."""
        count, prompt = token_class.count_in(usage), usage.prompt_tokens
        if not count:
            return Decimal(0)
        if token_class in _INPUTS:
            alone = TokenUsage(**{token_class.field: prompt}, in_region=usage.in_region)
            return exact_cost_of(alone, model, self.at).usd * count / prompt
        without = TokenUsage(input_tokens=prompt, in_region=usage.in_region)
        with_it = without.model_copy(update={token_class.field: count})
        return exact_cost_of(with_it, model, self.at).usd - exact_cost_of(without, model, self.at).usd
