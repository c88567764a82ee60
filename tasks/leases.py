"""Holding a run: one process executes it at a time, and the writes of an older one are refused."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from prefect.runtime import deployment
from sqlmodel import Session

from maos.errors import LeaseLost, StackError
from maos.runs import Run
from sql import leases
from sql.pipelines import Order, Rows
from sql.session import org_session
from tasks.outages import outlasting

# Long enough to survive a pause of the machine, short enough that a dead process's run goes on within a minute.
LEASE = timedelta(seconds=15)
_RENEW_EVERY_SECONDS = 4.0
_ASK_EVERY_SECONDS = 0.25


@contextmanager
def run_session(run: Run) -> Iterator[Session]:
    """Open a transaction in which this process still holds the run; nobody takes it up before it ends.

    Raises:
        LeaseLost: when another process has taken it up.
    """
    with run_session_asking(run) as (session, _):
        yield session


@contextmanager
def run_session_asking(run: Run, *asking: Order) -> Iterator[tuple[Session, list[Rows]]]:
    """Open such a transaction, and give the answers to what it asks first.

    Raises:
        LeaseLost: when another process has taken it up.
    """
    with leases.session_of_run(run.id, run.epoch, *asking, org_id=run.org_id) as (session, held, answers):
        if not held:
            raise LeaseLost(str(run.id))
        yield session, answers


def take_lease(run: Run) -> Run:
    """Wait until no other process holds the run, and hold it.

    Raises:
        LeaseLost: when one goes on holding it, because it is alive.
    """
    deadline = time.monotonic() + LEASE.total_seconds() + 1
    while (epoch := _try_lease(run)) is None:
        if time.monotonic() > deadline:
            raise LeaseLost(str(run.id))
        time.sleep(_ASK_EVERY_SECONDS)
    return run.model_copy(update={"epoch": epoch})


@outlasting
def _try_lease(run: Run) -> int | None:
    with org_session(run.org_id) as session:
        return leases.take_lease(run.id, LEASE, session=session)


@contextmanager
def holding(run: Run) -> Iterator[None]:
    """Keep the lease while the body runs, and release it at its end."""
    ended, deployed = threading.Event(), bool(deployment.id)
    renewal = threading.Thread(target=_renew, args=(run, ended, deployed), name="lease", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        ended.set()
        renewal.join()
        release_lease(run)


def release_lease(run: Run) -> None:
    """Let the next process take the run up at once; left unreleased, the lease runs out by itself."""
    with suppress(StackError), org_session(run.org_id) as session:
        leases.release_lease(run.id, run.epoch, session=session)


def _renew(run: Run, ended: threading.Event, deployed: bool) -> None:
    while not ended.wait(_RENEW_EVERY_SECONDS):
        held = True
        with suppress(StackError), org_session(run.org_id) as session:
            held = leases.renew_lease(run.id, run.epoch, LEASE, session=session)
        if not held:
            leave(deployed=deployed)
            return


def leave(*, deployed: bool) -> None:
    """End this process at once, because the run is another's; one that is not the run's own goes on.

    Nothing is reported to Prefect: the flow run's state is the other process's as well.
    """
    if deployed:
        os._exit(0)
