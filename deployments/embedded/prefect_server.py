"""The Prefect server as one process, without the command line around it."""

import sys

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.embedded.exposure import check_server
from maos.errors import StackError
from maos.known_secrets import secrets_of
from maos.redaction import Redaction
from tasks.logs import guard
from tasks.secrecy import keeper

_SHUTDOWN_SECONDS = 3


class StayLocal:
    """Lets the pages of the UI talk to this server only: they would call a vendor of statistics otherwise."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        """Wrap the server.

        Args:
            app: the server.
            port: on which it is reached.
        """
        self._app = app
        hosts = [f"{scheme}://{name}:{port}" for scheme in ("http", "ws") for name in ("127.0.0.1", "localhost")]
        self._policy = (b"content-security-policy", f"connect-src 'self' {' '.join(hosts)}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), self._policy]
            await send(message)

        await self._app(scope, receive, send_with_policy)


def main() -> None:
    """Serve the API and the UI until a signal comes."""
    _guard()
    settings = get_current_settings().server.api
    try:
        check_server(settings.host, settings.auth_string.get_secret_value() if settings.auth_string else None)
    except StackError as refused:
        sys.exit(f"maos: {refused}")
    uvicorn.run(
        StayLocal(create_app(final=True), port=settings.port),
        host=settings.host,
        port=settings.port,
        timeout_keep_alive=settings.keepalive_timeout,
        # A browser's or a worker's open websocket must not hold up the end.
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        log_level="warning",
    )


def _guard() -> None:
    """Keep out of the log what only the server knows, besides what every process of the stack does."""
    server = get_current_settings().server
    for model in (server.database, server.api):
        keeper().learn(Redaction(secrets_of(model)))
    guard()


if __name__ == "__main__":
    main()
