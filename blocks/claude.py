"""The writer engine as an operator configures it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from prefect.blocks.core import Block
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

from blocks.fields import ApiAddress, ApiKey
from blocks.logos import KEY
from maos.actions import JsonObject
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.settings import load_settings

if TYPE_CHECKING:
    # Importing the SDK takes seconds: it is loaded when a client is asked for.
    from anthropic import Anthropic
    from anthropic.types import RawMessageStreamEvent, TextBlockParam

    WriterEvent: TypeAlias = RawMessageStreamEvent
    SystemText: TypeAlias = TextBlockParam

ModelAlias = Literal["opus", "sonnet", "haiku"]
MODELS: dict[ModelAlias, str] = {
    "opus": "claude-opus-5-5",
    "sonnet": "claude-sonnet-5-5",
    "haiku": "claude-haiku-5-5",
}
_ADDRESS = "https://api.anthropic.com"
_CONNECT_SECONDS = 10.0


class ClaudeEngine(Block):
    """Key, address and model of the writer engine."""

    # An error would repeat the key or password that it refuses.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Claude Engine"
    _block_type_slug = "claude-engine"
    _description = "Key, address and model of the writer engine (engine type claude_cli)."
    _logo_url = KEY
    _documentation_url = HttpUrl("https://docs.claude.com/en/api/overview")
    _code_example = """\
```python
from blocks.claude import ClaudeEngine

engine = ClaudeEngine.load("BLOCK_NAME")
with engine.connect() as client:
    client.models.retrieve(engine.model_id)
```"""

    api_key: ApiKey = Field(
        default=None,
        title="API key",
        description="Key of the API; left empty, the setting MAOS_ANTHROPIC_API_KEY holds it, outside this database.",
    )
    base_url: ApiAddress = Field(
        default=None,
        title="Address",
        pattern=r"^(https?://.+)?$",
        description="Address of the API, if it is not the vendor's; left empty, MAOS_ANTHROPIC_BASE_URL counts.",
    )
    model: ModelAlias = Field(default="sonnet", description="Which model writes.")
    timeout_seconds: float = Field(
        default=180.0, gt=0, title="Timeout", description="Seconds that one call may take from its start to its end."
    )

    @property
    def model_id(self) -> str:
        """The model by the name that the API and the price list know."""
        return MODELS[self.model]

    @property
    def configured(self) -> bool:
        """Whether there is a key, in the block or in the settings."""
        return self.resolved_key() is not None

    def within(self, seconds: float) -> "ClaudeEngine":
        """Return the engine with a deadline over each call that is not later than this."""
        return self.model_copy(update={"timeout_seconds": min(self.timeout_seconds, seconds)})

    def resolved_key(self) -> SecretStr | None:
        """Return the block's key, else the settings' key."""
        return self.api_key or load_settings().anthropic_api_key or None

    def resolved_base_url(self) -> str:
        """Return the block's address, else the settings' address, else the vendor's."""
        return self.base_url or load_settings().anthropic_base_url or _ADDRESS

    def get_client(self) -> "Anthropic":
        """Return a client that knows this block's key and address, and nothing of the environment.

        Raises:
            EngineFailure: when there is no key, or none that could be sent.
        """
        from anthropic import Anthropic, Timeout

        from blocks.deadline import client_with_deadline

        client = Anthropic(
            api_key=self.sendable_key(),
            # Always given: the SDK would look into ANTHROPIC_BASE_URL.
            base_url=self.resolved_base_url(),
            timeout=Timeout(self.timeout_seconds, connect=min(self.timeout_seconds, _CONNECT_SECONDS)),
            max_retries=0,
            # Spans would name the vendor, and hold the prompt if the environment says so.
            open_telemetry=False,
            http_client=client_with_deadline(self.timeout_seconds),
        )
        # ANTHROPIC_CUSTOM_HEADERS can replace the key, and the SDK has no argument that leaves it out.
        client._custom_headers = {}
        return client

    @contextmanager
    def connect(self) -> Iterator["Anthropic"]:
        """Hand out a client whose every error is an `EngineFailure`, and close it at the end."""
        from blocks.claude_failures import SDK_ERRORS, failure_of

        try:
            with self.get_client() as client:
                yield client
        except SDK_ERRORS as error:
            # Not chained: the error keeps the request with its key, and its text may repeat the key.
            raise failure_of(error, key=self.sendable_key()) from None

    def schema_of(self, answer: type[BaseModel]) -> JsonObject:
        """Return the schema of an answer in the dialect that the API enforces."""
        from anthropic import transform_schema

        return transform_schema(answer)

    def sendable_key(self) -> str:
        """Return the key as it is sent.

        Raises:
            EngineFailure: when there is none, or none that could be sent.
        """
        secret = self.resolved_key()
        key = secret.get_secret_value().strip() if secret else ""
        if not key:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "neither the block nor the settings hold a key")
        if not (key.isascii() and key.isprintable()):
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "the key has characters that no key has; was it shortened?")
        return key
