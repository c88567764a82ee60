"""What a call of an engine consumed."""

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


class Receipt(BaseModel):
    """What one call consumed, whether or not it delivered."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(description="The model that worked, as it names itself.")
    request_id: str | None = None
    usage: TokenUsage
    raw_usage: JsonObject = Field(description="The vendor's own record of the usage, for auditors.")
    final: bool = Field(description="Whether the counts are the last word; a call cut short may have cost its ceiling.")
