"""What a limit of an engine costs a call, and how long the slot of a killed process stays taken: `make bench-limits`.

Prints milliseconds for each call, above those of a task without any limit; the limits never bind.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import pytest
from prefect import Task, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_SSL_CERT_FILE
from prefect.task_runners import ThreadPoolTaskRunner

from blocks.slots import give_back, take_slot

_CALLS, _ROUNDS, _AT_ONCE = 20, 3, 8
_TAG, _LIMIT = "bench-tag", "bench-limit"
_HOLD = f"""
import time
from blocks.slots import take_slot
take_slot({_LIMIT!r}, task_run_id=None)
print("held", flush=True)
time.sleep(600)
"""


def _nothing() -> None:
    """Do nothing."""


def _globally() -> None:
    with concurrency(_LIMIT):
        """Do nothing."""


def _slot() -> None:
    slot = take_slot(_LIMIT, task_run_id=None)
    assert slot is not None
    give_back(slot)


def _task(name: str, call: Callable[[], None], *tags: str) -> "Task[[], None]":
    return task(call, name=name, tags=set(tags), cache_policy=NO_CACHE, persist_result=False)


_TASKS = (
    _task("no limit", _nothing),
    _task("tag limit", _nothing, _TAG),
    _task("prefect.concurrency", _globally),
    _task("blocks.slots", _slot),
)


@flow(name="bench-limits", task_runner=ThreadPoolTaskRunner(max_workers=_AT_ONCE))
def _measure() -> dict[str, list[tuple[float, float]]]:
    figures: dict[str, list[tuple[float, float]]] = {each.name: [] for each in _TASKS}
    for _ in range(_ROUNDS):
        for each in _TASKS:
            figures[each.name].append((_in_turn(each), _at_once(each)))
    return figures


def _in_turn(each: "Task[[], None]") -> float:
    begun = time.perf_counter()
    for _ in range(_CALLS):
        each.submit().wait()
    return _milliseconds(begun)


def _at_once(each: "Task[[], None]") -> float:
    begun = time.perf_counter()
    for future in [each.submit() for _ in range(_CALLS)]:
        future.wait()
    return _milliseconds(begun)


def _milliseconds(begun: float) -> float:
    return (time.perf_counter() - begun) / _CALLS * 1000


@pytest.mark.usefixtures("prefect_api")
def test_what_a_limit_costs() -> None:
    """Print what a call costs with each kind of limit."""
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit(tag=_TAG, concurrency_limit=100)
        client.upsert_global_concurrency_limit_by_name(_LIMIT, limit=100)
    figures = _measure()
    print(f"\n{'':20} {'in turn':>12} {'eight at once':>14}   ms a call, median of {_ROUNDS}")
    for name, rounds in figures.items():
        print(f"{name:20} {median(a for a, _ in rounds):12.1f} {median(b for _, b in rounds):14.1f}")


def test_how_long_a_killed_process_keeps_its_slot(prefect_api: str) -> None:
    """Print the seconds until it is free again."""
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(_LIMIT, limit=100)
    environment = {
        **os.environ,
        "PREFECT_API_URL": prefect_api,
        "PREFECT_API_AUTH_STRING": PREFECT_API_AUTH_STRING.value() or "",
        "PREFECT_API_SSL_CERT_FILE": PREFECT_API_SSL_CERT_FILE.value() or "",
    }
    holder = subprocess.Popen([sys.executable, "-c", _HOLD], env=environment, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    begun = time.monotonic()
    with get_client(sync_client=True) as client:
        while client.read_global_concurrency_limit_by_name(_LIMIT).active_slots:
            time.sleep(0.5)
    print(f"\nslot of a killed process: free again after {time.monotonic() - begun:.0f} s")
