"""The image engine as an operator configures it; its model is locked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import httpx2
from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, HttpUrl, SecretStr

from blocks.cutoff import Cutoff
from blocks.fields import ApiAddress, ApiKey
from blocks.logos import KEY
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.images import IMAGE_MODEL, IMAGE_SIZE, MAX_OUTPUT_TOKENS, AspectRatio
from maos.settings import load_settings

if TYPE_CHECKING:
    # Importing the SDK takes a second: it is loaded when a client is asked for.
    from google.genai import Client
    from google.genai.types import GenerateContentResponse

    from blocks.gemini_call import GeminiCall

    ImageAnswer: TypeAlias = GenerateContentResponse

_ADDRESS = "https://generativelanguage.googleapis.com"
_API_VERSION = "v1beta"


class GeminiImageEngine(Block):
    """Key and address of the image engine; there is no field for a model."""

    # An error would repeat the key or password that it refuses.
    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Gemini Image Engine"
    _block_type_slug = "gemini-image-engine"
    _description = "Key and address of the image engine (engine type gemini_image). Its model is locked."
    _logo_url = KEY
    _documentation_url = HttpUrl("https://ai.google.dev/gemini-api/docs/image-generation")
    _code_example = """\
```python
from blocks.gemini_image import GeminiImageEngine

engine = GeminiImageEngine.load("BLOCK_NAME")
with engine.connect() as client:
    answer = client.create("A lighthouse at dusk", aspect_ratio="16:9")
```"""

    api_key: ApiKey = Field(
        default=None,
        title="API key",
        description="Key of the API; left empty, the setting MAOS_GEMINI_API_KEY holds it, outside this database.",
    )
    base_url: ApiAddress = Field(
        default=None,
        title="Address",
        pattern=r"^(https?://.+)?$",
        description="Address of the API, if it is not the vendor's; left empty, MAOS_GEMINI_BASE_URL counts.",
    )
    timeout_seconds: float = Field(
        default=120.0, gt=0, title="Timeout", description="Seconds that one call may take from its start to its end."
    )

    @property
    def configured(self) -> bool:
        """Whether there is a key, in the block or in the settings."""
        return self.resolved_key() is not None

    def within(self, seconds: float) -> "GeminiImageEngine":
        """Return the engine with a deadline over each call that is not later than this."""
        return self.model_copy(update={"timeout_seconds": min(self.timeout_seconds, seconds)})

    def resolved_key(self) -> SecretStr | None:
        """Return the block's key, else the settings' key."""
        return self.api_key or load_settings().gemini_api_key or None

    def resolved_base_url(self) -> str:
        """Return the block's address, else the settings' address, else the vendor's."""
        return self.base_url or load_settings().gemini_base_url or _ADDRESS

    @contextmanager
    def connect(self) -> Iterator["ImageClient"]:
        """Hand out a client for one call, whose deadline begins now, and close it at the end.

        Raises:
            EngineFailure: when there is no key or address, or none that could be used.
        """
        from google import genai  # noqa: F401 - loading it must not count against the deadline

        from blocks.gemini_call import GeminiCall

        key, address = self._sendable_key(), self._usable_address()
        with Cutoff(self.timeout_seconds) as cutoff:
            call = GeminiCall(cutoff)
            with call.http_client(self.timeout_seconds) as http:
                yield ImageClient(self._sdk_client(key, address, http), call, key)

    def _sdk_client(self, key: str, address: str, http: httpx2.Client) -> "Client":
        from google.genai import Client
        from google.genai.client import DebugConfig
        from google.genai.types import HttpOptions

        # All of it is always given: what is left out, the SDK looks for in the environment.
        return Client(
            vertexai=False,
            api_key=key,
            # GOOGLE_GENAI_CLIENT_MODE would answer from files, or write the key's answers to some.
            debug_config=DebugConfig(client_mode="", replays_directory="", replay_id=""),
            http_options=HttpOptions(
                base_url=address,
                api_version=_API_VERSION,
                timeout=max(1, int(self.timeout_seconds * 1000)),
                httpx_client=http,
                # Never used; the SDK would make one, with the proxies and certificates of the environment.
                httpx_async_client=httpx2.AsyncClient(trust_env=False),
            ),
        )

    def _usable_address(self) -> str:
        address = self.resolved_base_url()
        try:
            url = httpx2.URL(address)
        except httpx2.InvalidURL:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "the address is no address") from None
        if url.scheme not in {"http", "https"} or not url.host:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "the address does not name a host by http or https")
        return address

    def _sendable_key(self) -> str:
        secret = self.resolved_key()
        key = secret.get_secret_value().strip() if secret else ""
        if not key:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "neither the block nor the settings hold a key")
        if not (key.isascii() and key.isprintable()):
            raise EngineFailure(FailureKind.NOT_CONFIGURED, "the key has characters that no key has; was it shortened?")
        return key


@dataclass(frozen=True)
class ImageClient:
    """What the image engine is asked: no caller can name a model."""

    _sdk: "Client"
    _call: "GeminiCall"
    _key: str = field(repr=False)

    def create(self, prompt: str, *, aspect_ratio: AspectRatio, references: Sequence[bytes] = ()) -> "ImageAnswer":
        """Ask the locked model for one image, once.

        Args:
            references: pictures that it is shown after the prompt, as PNG.

        Raises:
            EngineFailure: for every error of the SDK and of the connection.
        """
        with self._failing():
            return self._ask(prompt, aspect_ratio, references)

    def look_up(self) -> str:
        """Return the name under which the API knows the locked model; that is free.

        Raises:
            EngineFailure: for every error of the SDK and of the connection.
        """
        with self._failing():
            return str(self._sdk.models.get(model=IMAGE_MODEL).name)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        from blocks.gemini_failures import SDK_ERRORS, failure_of

        try:
            yield
        except SDK_ERRORS as error:
            # Not chained: the error keeps the request with its key, and its text may repeat the key.
            raise failure_of(error, self._call, key=self._key) from None

    def _ask(self, prompt: str, aspect_ratio: AspectRatio, references: Sequence[bytes]) -> "ImageAnswer":
        from google.genai.types import Content, Part

        shown = (Part.from_bytes(data=each, mime_type="image/png") for each in references)
        parts = [Part.from_text(text=prompt), *shown]
        return self._sdk.models.generate_content(
            model=IMAGE_MODEL,
            contents=Content(role="user", parts=parts),
            config={
                "response_modalities": ["IMAGE"],
                "image_config": {"aspect_ratio": aspect_ratio, "image_size": IMAGE_SIZE},
                "candidate_count": 1,
                "max_output_tokens": MAX_OUTPUT_TOKENS,
                # Each would make the SDK ask again by itself, past what was reserved.
                "automatic_function_calling": {"disable": True},
                "automatic_continuation": False,
            },
        )
