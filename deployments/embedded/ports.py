"""Choose ports of 127.0.0.1, the same at every start where possible."""

import socket
from collections.abc import Collection
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from deployments.embedded.home import write_private
from maos.errors import StackError

_STORED = TypeAdapter(dict[str, int])


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port now."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(*preferred: int | None) -> int:
    """Return the first preferred port that is free, else any free one."""
    for port in preferred:
        if port is not None and is_free(port):
            return port
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return int(candidate.getsockname()[1])


class PortBook:
    """The ports of the last start, kept in a file."""

    def __init__(self, path: Path, *, in_use: Collection[str]) -> None:
        """Open the book.

        Args:
            path: the file.
            in_use: the parts that still run on their ports, and so must keep them.
        """
        self._path = path
        self._in_use = in_use
        self._ports = _read(path)

    def choose(self, name: str, *, configured: int | None, usual: int | None = None) -> int:
        """Return the port of a part and write it down."""
        last = self._ports.get(name)
        if name in self._in_use and last is not None and configured in (None, last):
            return last
        if configured is not None and not is_free(configured):
            raise StackError(name, f"port {configured} is taken by another program (MAOS_{name.upper()}_PORT)")
        self._ports[name] = configured or free_port(last, usual)
        write_private(self._path, _STORED.dump_json(self._ports).decode())
        return self._ports[name]


def _read(path: Path) -> dict[str, int]:
    try:
        return _STORED.validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return {}
