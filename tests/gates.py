"""Waiting for gates and answering them, as the tests of whole runs need it."""

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from httpx import HTTPStatusError
from prefect.client.orchestration import get_client
from sqlalchemy import text

from maos.approvals import Approval
from maos.statuses import ApprovalStatus, RunStatus
from sql.approval_queue import QueueFilter, list_approvals
from sql.session import system_session
from tasks.ledger import find_run
from tasks.runs import end_run

REVIEWER = "reviewer@demo.example"
OWNER = "owner@demo.example"
T = TypeVar("T")


def rows(query: str) -> list[tuple[Any, ...]]:
    """Return what the database says."""
    with system_session() as session:
        return [tuple(row) for row in session.execute(text(query))]


def only_run_id() -> UUID:
    """Return the id of the one run there is."""
    ((run_id,),) = rows("SELECT id FROM orchestrator_runs")
    assert isinstance(run_id, UUID)
    return run_id


def cancel_the_run() -> None:
    """Cancel the one run there is, as `maos runs cancel` does."""
    run = find_run(only_run_id())
    assert run is not None
    end_run(run, RunStatus.CANCELLED, "no longer wanted")


def wait_for(find: Callable[[], T | None], seconds: float = 120) -> T:
    """Wait until there is something to find."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.05)
    raise TimeoutError


def pending() -> list[Approval]:
    """Return the approvals that wait."""
    with system_session() as session:
        found = list_approvals(QueueFilter(status=ApprovalStatus.PENDING), limit=10, session=session)
        return [each.approval for each in found]


def wait_for_form() -> Approval:
    """Wait until the one run there is stands at the form of its approvals; return the one that it shows.

    Not only until it is asked for: whatever happens before the form is shown, the run takes into account first.
    """
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE gate_kind = 'approvals' AND status = 'paused'"))
    (approval,) = pending()
    return approval


def refuse_top_up() -> None:
    """Wait until the one run asks for more of a budget, and refuse it."""
    wait_for(pending, 120)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="it has cost enough")


def answer_form(run_id: UUID, **form: object) -> None:
    """Submit the Resume form, as the Prefect UI does."""

    def submit() -> bool:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(run_id).state
            if state is None or not state.is_paused():
                return False
            try:
                answer = client.resume_flow_run(run_id, run_input=form)
            except HTTPStatusError:
                # The state is set before the form's schema: for a moment the input is refused.
                return False
        return answer.status.value == "ACCEPT"

    wait_for(submit, 120)
