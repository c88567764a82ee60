"""One deadline over a whole conversation, however slowly the other side speaks."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self


class Cutoff:
    """Ends the connections that it watches when the time is up; a context manager.

    Timeouts of sockets are per read: whoever sends a byte now and then would never meet one.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._watched: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        for connection in self._watched:
            connection.close()

    @property
    def expired(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._deadline

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: when there are none.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is up")
        return left

    def watch(self, connection: socket.socket) -> None:
        """Take a connection under the deadline, also when it is wrapped for encryption later."""
        # Wrapping takes the connection out of its socket object: a duplicate still reaches it.
        self._watched.append(connection.dup())
        if self.expired:
            self._cut()

    def _cut(self) -> None:
        for connection in tuple(self._watched):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
