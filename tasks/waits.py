"""Waiting as long as an engine has asked for, before a step is tried again."""

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from prefect import get_run_logger

from maos.runs import Run
from maos.waits import seconds_left
from sql import invocations
from sql.session import org_session
from sql.tables import utc_now
from tasks.outages import outlasting

_LOOK_EVERY_SECONDS = 1.0


def wait_as_asked(run: Run, step_id: str, still_ours: Callable[[], object]) -> None:
    """Wait until the step may be tried again, which its last failure says in the ledger.

    The ledger and not this process knows the time, so that whoever takes the run up waits for the rest. Nothing is
    reserved meanwhile, and the step's own time has not begun.

    Args:
        still_ours: raises when the run is taken from this process, because it is cancelled or another one has it.
    """
    until = _asked(run.org_id, run.id, step_id)
    if left := seconds_left(until, utc_now()):
        get_run_logger().info("step %s is tried again in %.0f s, as its engine asks", step_id, left)
    while left := seconds_left(until, utc_now()):
        time.sleep(min(left, _LOOK_EVERY_SECONDS))
        still_ours()


@outlasting
def _asked(org_id: UUID, run_id: UUID, step_id: str) -> datetime | None:
    with org_session(org_id) as session:
        return invocations.retry_at(run_id, step_id, session=session)
