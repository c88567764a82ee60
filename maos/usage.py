"""What a call of an engine consumed."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from maos.actions import JsonObject


class TokenUsage(BaseModel):
    """Tokens by the class they are priced in; no token is counted twice."""

    model_config = ConfigDict(frozen=True)

    input_tokens: NonNegativeInt = Field(default=0, description="Input neither written to nor read from the cache.")
    output_tokens: NonNegativeInt = Field(default=0, description="Output, thinking included; not that of images.")
    image_tokens: NonNegativeInt = Field(default=0, description="Output that is an image.")
    cache_read_tokens: NonNegativeInt = 0
    cache_write_5m_tokens: NonNegativeInt = 0
    cache_write_1h_tokens: NonNegativeInt = 0
    in_region: bool = Field(default=False, description="Whether inference was bound to one region, which costs more.")

    @property
    def cache_write_tokens(self) -> int:
        """Tokens written to the cache, for however long."""
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def all_output_tokens(self) -> int:
        """All output, of whatever kind."""
        return self.output_tokens + self.image_tokens

    @property
    def prompt_tokens(self) -> int:
        """All input, cached or not: the length that decides the price band."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        """Return both together; where only one is known to be bound to a region, the dearer price counts."""
        counts = {name: getattr(self, name) + getattr(other, name) for name in TokenUsage.model_fields}
        return TokenUsage(**counts | {"in_region": self.in_region or other.in_region})


class Receipt(BaseModel):
    """What one call consumed, whether or not it delivered."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(description="The model that worked, as it names itself.")
    request_id: str | None = None
    usage: TokenUsage
    raw_usage: JsonObject = Field(description="The vendor's own record of the usage, for auditors.")
    final: bool = Field(description="Whether the counts are the last word; a call cut short may have cost its ceiling.")
    others: Mapping[str, TokenUsage] = Field(
        default_factory=dict, description="What other models consumed in the same call, by the names they give."
    )

    @property
    def total(self) -> TokenUsage:
        """What all models consumed together."""
        return sum(self.others.values(), start=self.usage)

    def by_model(self) -> Iterator[tuple[str, TokenUsage]]:
        """Yield each model with what it consumed."""
        yield self.model, self.usage
        yield from self.others.items()
