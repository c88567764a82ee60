"""What an organisation pays instead of the list price: negotiated rates, a markup or a discount, from a time on."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.errors import BadInput, UnpricedModel
from maos.pricing import bands_of
from maos.usage import TokenUsage

_EVERY_MODEL = "*"
# What is charged is stored with eight decimals, and money has ten digits before them.
_HIGHEST_RATE = Decimal(100_000)
_MARKUPS = (Decimal(-100), Decimal(1000))
_DECIMALS = 4
# A model answers as itself, or as a numbered release of itself.
_RELEASE = r"(-\d{4,8}|-preview[-\w]*)?"


class TokenClass(StrEnum):
    """A class of tokens that has a price of its own."""

    INPUT = "input"
    OUTPUT = "output"
    IMAGE = "image"
    CACHE_READ = "cache_read"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"

    @property
    def field(self) -> str:
        """The count of a `TokenUsage` that it is."""
        return f"{self.value}_tokens"

    def count_in(self, usage: TokenUsage) -> int:
        """Return how many tokens of this class a call used."""
        return int(getattr(usage, self.field))


class PriceOverride(BaseModel):
    """One agreement: it replaces the one before for the same models, and is never changed itself.

    A negotiated rate is the whole price of its class, however long the prompt and wherever it is worked on; the markup
    applies to the list price of all other classes.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    model: str = Field(description="A model, a family such as `claude-sonnet-*`, or `*`.")
    rates: Mapping[TokenClass, Decimal] = Field(description="USD for a million tokens, by class.")
    markup_percent: Decimal = Field(description="Added to the list price; a discount is below zero.")
    effective_from: datetime
    set_by: str
    set_at: datetime

    def applies_to(self, model: str) -> bool:
        """Say whether calls that this model answered are priced by it."""
        if self.model.endswith(_EVERY_MODEL):
            return model.startswith(self.model.removesuffix(_EVERY_MODEL))
        return re.fullmatch(re.escape(self.model) + _RELEASE, model) is not None

    @property
    def narrowness(self) -> tuple[bool, int]:
        """How closely it names its models: of several that apply, the narrowest counts."""
        return not self.model.endswith(_EVERY_MODEL), len(self.model)


def checked_model(name: str, known: Collection[str], at: datetime) -> str:
    """Return a model, a family or `*`, if there is a price for it.

    Args:
        known: the models that this project calls; a family has one of them.

    Raises:
        BadInput: when there is none.
    """
    if name.endswith(_EVERY_MODEL):
        prefix = name.removesuffix(_EVERY_MODEL)
        if any(model.startswith(prefix) for model in known):
            return name
    else:
        try:
            bands_of(name, at)
        except UnpricedModel:
            pass
        else:
            return name
    raise BadInput("model", name, f"{', '.join(known)}; another that the price list knows; a family like `claude-*`; *")


def checked_rates(given: Mapping[str, str]) -> dict[TokenClass, Decimal]:
    """Read negotiated rates as somebody has typed them.

    Raises:
        BadInput: naming the class or the rate.
    """
    classes = [each.value for each in TokenClass]
    for name in given:
        if name not in classes:
            raise BadInput("rate", name, ", ".join(classes))
    return {
        TokenClass(name): _number(f"rate {name}", text, lowest=Decimal(0), highest=_HIGHEST_RATE)
        for name, text in given.items()
    }


def checked_markup(given: str) -> Decimal:
    """Read a markup in percent as somebody has typed it.

    Raises:
        BadInput: when it is no number, or beyond the limits.
    """
    return _number("markup", given, lowest=_MARKUPS[0], highest=_MARKUPS[1])


def checked_start(given: datetime, now: datetime) -> datetime:
    """Return when an override takes effect, if that is not in the past.

    Raises:
        BadInput: when it is.
    """
    if given < now:
        allowed = "a time from now on, in UTC: calls that were made keep their price; a faulty one is corrected by"
        raise BadInput("from", f"{given:%Y-%m-%d %H:%M:%S}", f"{allowed} `maos prices recompute`")
    return given


def _number(field: str, text: str, *, lowest: Decimal, highest: Decimal) -> Decimal:
    allowed = f"a number from {lowest} to {highest} with at most {_DECIMALS} decimals"
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadInput(field, text, allowed) from None
    if not (value.is_finite() and lowest <= value <= highest and value == round(value, _DECIMALS)):
        raise BadInput(field, text, allowed)
    return value
