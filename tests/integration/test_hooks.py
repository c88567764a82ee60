"""What Prefect's hooks do to a run whose process did not end it."""

from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled, Crashed, Failed

from flows.generate_report import generate_report
from flows.hooks import close_cancelled, recover_crashed, recover_failed
from sql import budgets
from sql.budgets import RunCaps
from sql.session import org_session
from tests.gates import rows
from tests.rows import add_approval, add_run, invocation


@pytest.mark.parametrize(
    ("hook", "state", "status"),
    [
        (close_cancelled, Cancelled(), "cancelled"),
        # Without a deployment nothing could take it up again.
        (recover_crashed, Crashed(), "failed"),
        (recover_failed, Failed(data=OSError("unforeseen")), "failed"),
    ],
)
def test_a_run_that_ended_outside_leaves_nothing_open(org_id: UUID, hook, state, status: str) -> None:  # type: ignore[no-untyped-def]
    run_id = add_run(org_id)
    add_approval(org_id, run_id)
    attempt = invocation(org_id, run_id, "0.5")
    with org_session(org_id) as session:
        caps = RunCaps(usd=attempt.token_cost_estimate * 2)
        budgets.add_run_caps(run_id, caps, org_id=org_id, session=session)
        session.add(attempt)
        session.flush()
        budgets.reserve(attempt, session=session)

    hook(flow=generate_report, flow_run=FlowRun(id=run_id, flow_id=uuid4()), state=state)

    assert rows("SELECT status FROM orchestrator_runs") == [(status,)]
    assert rows("SELECT status FROM agent_pending_actions") == [("cancelled",)]
    assert rows("SELECT status, error_kind FROM agent_invocations") == [("failed", "process_died")]
    assert rows("SELECT reserved FROM budget_standings") == [(0,)]
    events = rows("SELECT event FROM agent_action_audit_log ORDER BY sequence")
    assert events == [("step.failed",), (f"run.{status}",)]


def test_a_run_that_has_its_end_keeps_it(org_id: UUID) -> None:
    run_id = add_run(org_id, status="completed", completed_at="2026-11-20T12:00:00+00:00")

    close_cancelled(flow=generate_report, flow_run=FlowRun(id=run_id, flow_id=uuid4()), state=Cancelled())

    assert rows("SELECT status FROM orchestrator_runs") == [("completed",)]
