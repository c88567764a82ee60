"""How many calls of an engine are under way at once, over all runs and processes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context

from prefect import get_run_logger

from blocks.slots import LEASE_SECONDS, Slot, give_back, renew_slot, take_slot
from maos.engines import EngineType
from maos.errors import StackError
from maos.runs import Run
from maos.settings import load_settings
from tasks.ledger import reread
from tasks.steps import task_run_id

_ASK_EVERY_SECONDS = 0.5
_RENEW_EVERY_SECONDS = LEASE_SECONDS / 3


@contextmanager
def engine_slot(run: Run, engine: EngineType) -> Iterator[None]:
    """Hold a slot of the engine while the body calls it; wait for one first.

    Enter it before an `Attempt`: who waits has reserved nothing, and the step's time has not begun.

    Raises:
        LeaseLost: when the run is taken from this process while it waits.
    """
    if not load_settings().limit_of(engine):
        yield
        return
    slot = _waited_for(run, engine)
    try:
        with _renewed(slot):
            yield
    finally:
        with suppress(StackError):
            give_back(slot)


def _waited_for(run: Run, engine: EngineType) -> Slot:
    told = False
    while (slot := _asked_for(engine)) is None:
        if not told:
            get_run_logger().info("waiting for one of the slots of %s", engine.label)
            told = True
        time.sleep(_ASK_EVERY_SECONDS)
        reread(run.id, run.org_id, run.epoch)
    return slot


def _asked_for(engine: EngineType) -> Slot | None:
    try:
        return take_slot(engine.tag, task_run_id=task_run_id())
    except StackError as error:
        # A run outlasts a server that is away; a limit that cannot be asked holds nobody up.
        get_run_logger().warning("goes on without a slot of %s: %s", engine.label, error)
        return Slot(None)


@contextmanager
def _renewed(slot: Slot) -> Iterator[None]:
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_RENEW_EVERY_SECONDS):
            with suppress(StackError):
                renew_slot(slot)

    # With this context, which names the Prefect server.
    renewal = threading.Thread(target=copy_context().run, args=(renew,), name="slot", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        ended.set()
