"""The ledger and Prefect are brought into agreement, whatever died in between."""

from tests.end_to_end.conftest import Maos, wait_for

REVIEWER = "reviewer@demo.example"


def _approval(maos: Maos, run_id: str) -> str:
    ((approval_id,),) = maos.rows(f"SELECT id::text FROM agent_pending_actions WHERE run_id = '{run_id}'")
    return str(approval_id)


def _reconciled(maos: Maos, run_id: str) -> str:
    """Reconcile until the run is mentioned, by this command or by the scheduled flow before it."""

    def status() -> str | None:
        maos.run("reconcile")
        found = maos.json("runs", "show", run_id)
        return str(found["status"]) if found["completed_at"] else None

    return wait_for(status, 90)


def test_a_decision_whose_maker_died_before_waking_the_run_wakes_it(maos: Maos) -> None:
    run_id = maos.start_report()
    # As if the command had been killed between the two: decided in the ledger, Prefect told nothing.
    maos.python(
        f"from uuid import UUID; from maos.approvals import *; from maos.decisions import *; "
        f"from tasks.approvals import decide; "
        f"decide(UUID('{_approval(maos, run_id)}'), DecisionRequest(decision=Decision.APPROVE, "
        f"reviewer='{REVIEWER}', via=DecisionPath.COMMAND_LINE))"
    )

    assert _reconciled(maos, run_id) == "completed"


def test_an_approval_that_expires_while_its_run_sleeps_ends_the_run(maos: Maos) -> None:
    run_id = maos.start_report()
    maos.rows(f"UPDATE agent_pending_actions SET expires_at = now() WHERE run_id = '{run_id}' RETURNING id")

    assert _reconciled(maos, run_id) == "cancelled"
    ((status,),) = maos.rows(f"SELECT status FROM agent_pending_actions WHERE run_id = '{run_id}'")
    assert status == "expired"


def test_a_run_that_is_cancelled_while_it_sleeps_is_closed(maos: Maos) -> None:
    run_id = maos.start_report()
    maos.prefect("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLED"}, "force": True})

    assert _reconciled(maos, run_id) == "cancelled"
    assert maos.rows(f"SELECT status FROM agent_pending_actions WHERE run_id = '{run_id}'") == [("cancelled",)]


def test_reconciliation_is_scheduled_twice_a_minute_and_silent_when_all_agree(maos: Maos) -> None:
    deployment = maos.prefect("GET", "/deployments/name/reconcile-runs/reconcile-runs")

    assert [schedule["schedule"]["interval"] for schedule in deployment["schedules"]] == [30.0]
    assert "nothing to mend" in maos.run("reconcile")
