"""Ending processes that start others while they are ended."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import psutil
import pytest

from deployments.embedded.processes import end_all

# Asked to end, it leaves another of its kind behind, as a server does that was about to fork.
_HYDRA = """
import os, signal, sys, time
def leave_one(*_):
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGTERM, leave_one)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def name() -> Iterator[str]:
    """A word in the command line of a process that grows another, both of which are gone afterwards."""
    name = uuid4().hex
    with subprocess.Popen([sys.executable, "-c", _HYDRA, name], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield name
        for left in _called(name):
            left.kill()


def test_what_was_started_meanwhile_is_ended_too(name: str) -> None:
    assert end_all(lambda: _called(name), 5.0)

    assert _called(name) == []


def test_that_there_was_nothing_to_end_is_said() -> None:
    assert not end_all(list, 5.0)


def _called(name: str) -> list[psutil.Process]:
    """Return the living processes with this word in their command line."""
    everything = psutil.process_iter(["cmdline", "status"])
    living = [process for process in everything if process.info["status"] != psutil.STATUS_ZOMBIE]
    return [process for process in living if name in (process.info["cmdline"] or ())]
