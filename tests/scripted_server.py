"""A server that says what it was told to, line by line, to whoever connects: for what no real server says."""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Ending = Literal["hang up", "wait", "drip"]
_DRIP_SECONDS = 0.05


class ScriptedServer:
    """Speaks first, then once after each line it hears.

    Args:
        replies: what it says, each with its line ends.
        then: what it does after its last words; it drips a byte now and then, for ever.
    """

    host = "127.0.0.1"

    def __init__(self, replies: Sequence[bytes], *, then: Ending = "hang up") -> None:
        self.heard: list[bytes] = []
        self._replies = replies
        self._then = then
        self._closing = threading.Event()
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as lines:
                for number, reply in enumerate(self._replies):
                    if number:
                        self.heard.append(lines.readline())
                    connection.sendall(reply)
                if self._then == "wait":
                    self._closing.wait()
                while self._then == "drip" and not self._closing.wait(_DRIP_SECONDS):
                    connection.sendall(b".")
