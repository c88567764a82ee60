"""Stand in for the process of one run: have the template process fork it, or else become it.

The worker starts this, watches it and signals it. It imports next to nothing, since its start is part of every run's.
"""

import contextlib
import json
import os
import signal
import socket
import sys

SOCKET_VARIABLE = "MAOS_LAUNCH_SOCKET"
FORKED = b"F"
_LISTEN_SECONDS = 0.2
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    """Run the flow run that the environment names, and end as it ends."""
    # A signal that comes before the run is known to be there waits until it can be forwarded.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    connection = _ask_template()
    if connection is None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])
    for number in _FORWARDED:
        signal.signal(number, lambda received, _: _forward(connection, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    _end_like(_status(connection))


def _status(connection: socket.socket) -> bytes:
    # In short waits: a signal that comes just before `recv` blocks is handled only when it returns.
    connection.settimeout(_LISTEN_SECONDS)
    while True:
        with contextlib.suppress(TimeoutError):
            return connection.recv(4)


def _ask_template() -> socket.socket | None:
    """Hand our environment, folder and output to the template process; nothing comes back where it cannot help."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.environ.get(SOCKET_VARIABLE, ""))
        request = json.dumps({"environment": dict(os.environ), "folder": os.getcwd()}).encode()
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(request)
        answer = connection.recv(1)
    except OSError:
        return None
    return connection if answer == FORKED else None


def _forward(connection: socket.socket, number: int) -> None:
    # The run may have ended a moment ago.
    with contextlib.suppress(OSError):
        connection.send(bytes([number]))


def _end_like(status: bytes) -> None:
    """End with the exit code or by the signal that ended the forked process."""
    code = int.from_bytes(status, "big", signed=True) if len(status) == 4 else -signal.SIGKILL
    if code < 0:
        if -code in _FORWARDED:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
