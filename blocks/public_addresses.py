"""Which hosts may be called: names are resolved once, checked, and connected to as they were checked."""

import ipaddress
import socket
import ssl
import threading
from concurrent.futures import Future
from typing import Any

import httpx

# Networks whose last four bytes are an address of the old protocol, to which a translator would pass the call on.
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotPublic(httpx.ConnectError):
    """A host is not on the public internet; it was not connected to."""


class CheckedTransport(httpx.HTTPTransport):
    """Resolves a host once, checks what it resolved to, and connects to exactly that: also after a redirect."""

    def __init__(self, *, allow_private: bool, verify: ssl.SSLContext | bool = True) -> None:
        super().__init__(verify=verify)
        self._allow_private = allow_private

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        address = self._checked_address(request)
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

    def _checked_address(self, request: httpx.Request) -> Address:
        url, seconds = request.url, request.extensions["timeout"]["connect"]
        if url.scheme not in {"http", "https"} or not url.host:
            raise httpx.UnsupportedProtocol("not an http:// or https:// address")
        try:
            addresses = look_up(url.host, url.port or url.scheme, seconds=seconds)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"the name {url.host} is not resolved in time") from error
        except OSError as error:
            raise httpx.ConnectError(f"the host {url.host} is not known") from error
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise NotPublic(f"the host {url.host} is not on the public internet")
        return addresses[0]


def look_up(host: str, port: int | str, *, seconds: float) -> list[Address]:
    """Return the addresses of a host.

    Raises:
        OSError: when there are none; `TimeoutError` when that is not known in time.
    """
    # Beside this thread: resolving knows no timeout.
    found: Future[list[Any]] = Future()
    threading.Thread(target=_resolve, args=(found, host, port), daemon=True).start()
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found.result(seconds)]


def _resolve(found: "Future[list[Any]]", host: str, port: int | str) -> None:
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        found.set_exception(error if isinstance(error, OSError) else OSError(f"{host!r} is no name of a host"))


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


def without_secrets(url: str) -> str:
    """Return an address without what may be secret in it."""
    return str(httpx.URL(url).copy_with(query=None, fragment=None, username=None, password=None))
