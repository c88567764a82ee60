"""How data sets are fetched from the web: limits, and which hosts may be asked."""

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.blocks.core import Block
from pydantic import Field

from maos.errors import BadInput

_MOST_REDIRECTS = 3
# Networks whose last four bytes are an address of the old protocol, to which a translator would pass the call on.
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class DatasetDownloads(Block):
    """Limits of data set downloads."""

    _block_type_name = "Dataset Downloads"
    _block_type_slug = "dataset-downloads"
    _description = "Limits of data sets that are fetched over http and https."

    max_bytes: int = Field(default=1_000_000_000, gt=0, description="Largest file that is fetched, in bytes.")
    timeout_seconds: float = Field(default=120.0, gt=0, description="Seconds that one download may take in all.")

    def get_client(self, *, allow_private: bool = False) -> httpx.Client:
        """Return a client that connects to public addresses only, unless private ones are allowed."""
        return httpx.Client(
            transport=_CheckedTransport(allow_private=allow_private),
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
        deadline = time.monotonic() + self.timeout_seconds
        with _refusing(url), self.get_client(allow_private=allow_private) as client, client.stream("GET", url) as reply:
            reply.raise_for_status()
            with target.open("wb") as file:
                for chunk in self._within_limits(url, reply.iter_bytes(), deadline):
                    file.write(chunk)

    def _within_limits(self, url: str, chunks: Iterator[bytes], deadline: float) -> Iterator[bytes]:
        received = 0
        for chunk in chunks:
            received += len(chunk)
            if received > self.max_bytes:
                raise BadInput("dataset", _without_secrets(url), f"a file of at most {self.max_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise BadInput("dataset", _without_secrets(url), f"a file that arrives in {self.timeout_seconds:g} s")
            yield chunk


class _CheckedTransport(httpx.HTTPTransport):
    """Resolves a host once, checks what it resolved to, and connects to exactly that: also after a redirect."""

    def __init__(self, *, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        address = _resolved(request.url, allow_private=self._allow_private)
        # The name stays in the Host header and in the check of the certificate.
        return super().handle_request(
            httpx.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": request.url.host},
            )
        )


def _resolved(url: httpx.URL, *, allow_private: bool) -> Address:
    try:
        found = socket.getaddrinfo(url.host, url.port or url.scheme, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(f"the host {url.host} is not known") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise BadInput("dataset", _without_secrets(str(url)), "an address on the public internet")
    return addresses[0]


def is_public(address: Address) -> bool:
    """Say whether an address, and every address embedded in it, is on the public internet."""
    return all(part.is_global and not part.is_multicast for part in (address, *_embedded(address)))


def _embedded(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    teredo = address.teredo or ()
    translated = any(address in network for network in _TRANSLATED)
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if translated else None
    return [part for part in (address.ipv4_mapped, address.sixtofour, *teredo, last) if part is not None]


def _without_secrets(url: str) -> str:
    return str(httpx.URL(url).copy_with(query=None, fragment=None, username=None, password=None))


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
    except httpx.InvalidURL:
        raise BadInput("dataset", url.partition("?")[0][:200], "an http:// or https:// address") from None
    except httpx.HTTPStatusError as error:
        raise _refusal(url, f"it answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        reason = next(text for kind, text in _REASONS if isinstance(error, kind))
        raise _refusal(url, reason) from error


def _refusal(url: str, reason: str) -> BadInput:
    return BadInput("dataset", _without_secrets(url), f"an address that delivers a file ({reason})")
