"""Refuse a Prefect API that strangers could use: whoever uses it can start, change and read every run."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from maos.errors import StackError

_SHORTEST_PASSWORD = 16
_WITHOUT_LOGIN = "whoever reaches it could start, change and read every run of every organisation"


def check_server(host: str, auth_string: str | None) -> None:
    """Refuse to serve an API without a login that holds, on whatever address.

    Raises:
        StackError: saying what is wrong and how to put it right.
    """
    if faults := server_faults(host, auth_string):
        raise StackError("prefect", "; ".join(faults))


def server_faults(host: str, auth_string: str | None) -> Sequence[str]:
    """Return what is wrong with the settings of a server."""
    where = host if is_loopback(host) else f"{host}, which other machines reach"
    if not auth_string:
        return [f"PREFECT_SERVER_API_AUTH_STRING is not set; on {where}, {_WITHOUT_LOGIN}"]
    user, colon, password = auth_string.partition(":")
    if not (user and colon and password):
        return ["PREFECT_SERVER_API_AUTH_STRING is not of the form user:password"]
    faults = []
    if len(password) < _SHORTEST_PASSWORD:
        faults.append(
            f"the password in PREFECT_SERVER_API_AUTH_STRING has {len(password)} characters, on {where}; "
            f"it takes at least {_SHORTEST_PASSWORD}"
        )
    if len(set(password)) < _SHORTEST_PASSWORD // 2:
        faults.append("the password in PREFECT_SERVER_API_AUTH_STRING repeats a few characters; use a generated one")
    return faults


def check_api(api_url: str, *, serves_strangers: Callable[[], bool]) -> None:
    """Refuse to use an API elsewhere that asks nobody for a login.

    Args:
        serves_strangers: asks the API without any login.

    Raises:
        StackError: saying what is wrong and how to put it right.
    """
    host = urlsplit(api_url).hostname or ""
    if not is_loopback(host) and serves_strangers():
        raise StackError(
            "prefect",
            f"the API at {host} answers without a login: {_WITHOUT_LOGIN}; "
            "set PREFECT_SERVER_API_AUTH_STRING where it runs, and PREFECT_API_AUTH_STRING here",
        )


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
