"""Take requests on a socket, fork for each, and tell whoever asked how the child ended."""

import contextlib
import json
import os
import selectors
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployments.embedded.launcher import FORKED

_REQUEST_SECONDS = 5.0
_BACKLOG = 64


@dataclass(frozen=True)
class Request:
    """What a launcher asks for: a process with its environment, folder and output."""

    environment: dict[str, str]
    folder: str
    standard_files: tuple[int, ...]


@dataclass(frozen=True)
class Child:
    """A forked process and the launcher that waits for its end."""

    pid: int
    handle: int
    launcher: socket.socket


class ForkServer:
    """Forks this process on request; single-threaded, as forking asks for."""

    def __init__(self, path: Path, *, may_fork: Callable[[], bool]) -> None:
        """Listen at a path that only this user reaches.

        Args:
            path: of the socket.
            may_fork: asked before each fork; the first refusal is final.
        """
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(_BACKLOG)
        self._may_fork = may_fork
        self._leaving = False
        self._children: dict[int, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    def leave(self) -> None:
        """Take no more requests and end with the last child."""
        if not self._leaving:
            self._leaving = True
            self._selector.unregister(self._listener)
            self._listener.close()

    def serve(self) -> Request | None:
        """Serve until told to leave; a request is returned in the child that was forked for it."""
        while self._children or not self._leaving:
            for key, _ in self._selector.select(timeout=1.0):
                if isinstance(key.data, Child):
                    self._attend(key.data, ended=key.fileobj == key.data.handle)
                elif not self._leaving and (request := self._accept()) is not None:
                    return request
        return None

    def _accept(self) -> Request | None:
        launcher, _ = self._listener.accept()
        try:
            request = _read_request(launcher)
        except (OSError, ValueError):
            launcher.close()
            return None
        if not self._may_fork():
            # Closed without an answer, the launcher helps itself.
            launcher.close()
            self.leave()
        elif (pid := os.fork()) == 0:
            self._become_child(launcher)
            return request
        else:
            self._note(Child(pid, os.pidfd_open(pid), launcher))
        for descriptor in request.standard_files:
            os.close(descriptor)
        return None

    def _note(self, child: Child) -> None:
        self._children[child.pid] = child
        self._selector.register(child.handle, selectors.EVENT_READ, child)
        self._selector.register(child.launcher, selectors.EVENT_READ, child)
        _tell(child.launcher, FORKED)

    def _attend(self, child: Child, *, ended: bool) -> None:
        if child.pid not in self._children:
            return
        if ended:
            self._bury(child)
        elif signals := _hear(child.launcher):
            signal.pidfd_send_signal(child.handle, signal.Signals(signals[0]))
        else:
            # Nobody waits for this run any more: its worker has killed the launcher.
            signal.pidfd_send_signal(child.handle, signal.SIGKILL)
            self._selector.unregister(child.launcher)

    def _bury(self, child: Child) -> None:
        _, status = os.waitpid(child.pid, 0)
        _tell(child.launcher, os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
        for watched in (child.handle, child.launcher):
            with contextlib.suppress(KeyError):
                self._selector.unregister(watched)
        child.launcher.close()
        os.close(child.handle)
        del self._children[child.pid]

    def _become_child(self, launcher: socket.socket) -> None:
        """Close what belongs to the server and to other children."""
        self._selector.close()
        for other in (self._listener, launcher, *(child.launcher for child in self._children.values())):
            other.close()
        for child in self._children.values():
            os.close(child.handle)


def _read_request(launcher: socket.socket) -> Request:
    launcher.settimeout(_REQUEST_SECONDS)
    header, standard_files, _, _ = socket.recv_fds(launcher, 4, 3)
    length, body = int.from_bytes(header, "big"), bytearray()
    while len(body) < length:
        if not (chunk := launcher.recv(length - len(body))):
            raise ValueError("the launcher has gone")
        body += chunk
    asked = json.loads(body)
    return Request(asked["environment"], asked["folder"], tuple(standard_files))


def _tell(launcher: socket.socket, message: bytes) -> None:
    with contextlib.suppress(OSError):
        launcher.sendall(message)


def _hear(launcher: socket.socket) -> bytes:
    try:
        return launcher.recv(1)
    except OSError:
        return b""
