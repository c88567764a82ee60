"""How data sets are fetched from the web, and within which limits."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from blocks.logos import FILES
from blocks.public_addresses import CheckedTransport, NotPublic, without_secrets
from maos.errors import BadInput

_MOST_REDIRECTS = 3


class DatasetDownloads(Block):
    """Limits of data set downloads."""

    _block_type_name = "Dataset Downloads"
    _block_type_slug = "dataset-downloads"
    _description = "Limits of data sets that are fetched over http and https."
    _logo_url = FILES
    _documentation_url = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")
    _code_example = """\
```python
from pathlib import Path

from blocks.dataset_downloads import DatasetDownloads

downloads = DatasetDownloads.load("BLOCK_NAME")
downloads.fetch("https://example.com/orders.csv", Path("orders.csv"))
```"""

    max_bytes: int = Field(default=1_000_000_000, gt=0, description="Largest file that is fetched, in bytes.")
    timeout_seconds: float = Field(default=120.0, gt=0, description="Seconds that one download may take in all.")

    def get_client(self, *, allow_private: bool = False, authority: Path | None = None) -> httpx.Client:
        """Return a client that connects to public addresses only, unless private ones are allowed.

        Args:
            authority: whose certificates are trusted, instead of the usual ones.
        """
        verify = ssl.create_default_context(cafile=authority) if authority else True
        return httpx.Client(
            transport=CheckedTransport(allow_private=allow_private, verify=verify),
            timeout=min(self.timeout_seconds, 30.0),
            follow_redirects=True,
            max_redirects=_MOST_REDIRECTS,
            # A proxy would resolve names on its own, behind the check.
            trust_env=False,
            headers={"User-Agent": "maos", "Accept-Encoding": "identity"},
        )

    def fetch(self, url: str, target: Path, *, allow_private: bool = False) -> None:
        """Write what an address holds into a file.

        Raises:
            BadInput: when it cannot be fetched within the limits.
        """
        with _refusing(url), self.get_client(allow_private=allow_private) as client:
            self.transfer(client, url, target, shown=without_secrets(url))

    def transfer(self, client: httpx.Client, url: str, target: Path, *, shown: str) -> None:
        """Write what an address holds into a file, by a client of this block.

        Args:
            shown: what an error calls the address.

        Raises:
            BadInput: when it is too large, or takes too long.
            httpx.HTTPError: when it is not delivered.
        """
        deadline = time.monotonic() + self.timeout_seconds
        with client.stream("GET", url) as reply:
            reply.raise_for_status()
            with target.open("wb") as file:
                for chunk in self._within_limits(shown, reply.iter_bytes(), deadline):
                    file.write(chunk)

    def _within_limits(self, shown: str, chunks: Iterator[bytes], deadline: float) -> Iterator[bytes]:
        received = 0
        for chunk in chunks:
            received += len(chunk)
            if received > self.max_bytes:
                raise BadInput("dataset", shown, f"a file of at most {self.max_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise BadInput("dataset", shown, f"a file that arrives in {self.timeout_seconds:g} s")
            yield chunk


_REASONS: tuple[tuple[type[httpx.HTTPError], str], ...] = (
    (httpx.TooManyRedirects, "it redirects too often"),
    (httpx.TimeoutException, "it does not answer in time"),
    (httpx.ConnectError, "it cannot be reached"),
    (httpx.HTTPError, "the transfer failed"),
)


@contextmanager
def _refusing(url: str) -> Iterator[None]:
    """Turn what goes wrong on the network into a refusal of the address."""
    try:
        yield
    except NotPublic as error:
        raise BadInput(
            "dataset", without_secrets(str(error.request.url)), "an address on the public internet"
        ) from None
    except httpx.InvalidURL:
        raise BadInput("dataset", url.partition("?")[0][:200], "an http:// or https:// address") from None
    except httpx.HTTPStatusError as error:
        raise _refusal(url, f"it answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise _refusal(url, reason_of(error)) from error


def reason_of(error: httpx.HTTPError) -> str:
    """Return in words why an address did not deliver."""
    return next(text for kind, text in _REASONS if isinstance(error, kind))


def _refusal(url: str, reason: str) -> BadInput:
    return BadInput("dataset", without_secrets(url), f"an address that delivers a file ({reason})")
