"""A run whose process is gone is taken up again, so many times; two processes never execute one run."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Completed, Crashed, Failed, Pending, Running
from sqlalchemy import text

from flows.hooks import recover_failed
from flows.options import ENTRYPOINT_OPTIONS
from maos.errors import BadInput, LeaseLost, PlanRefused, StackError
from maos.runs import GateKind, Run
from maos.statuses import RunStatus
from tasks.holds import hold_run
from tasks.leases import run_session, take_lease
from tasks.ledger import find_run
from tasks.reconciliation import reconcile
from tasks.recovery import recover
from tasks.runs import end_run, pause_run
from tests.gates import rows
from tests.rows import add_approval, add_run

pytestmark = pytest.mark.usefixtures("prefect_api")


@flow(name="recovered", **ENTRYPOINT_OPTIONS)
def recovered(request: dict[str, str]) -> None:
    """Stand in for an entrypoint."""


def _flow_run(state: object = None) -> UUID:
    """Create a flow run of a deployment; nothing executes it."""
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(recovered), "recovered", tags=["entrypoint:generate_report"]
        )
        request = {"org": "demo", "title": "t"}
        made = client.create_flow_run_from_deployment(deployment, parameters={"request": request})
        if state is not None:
            client.set_flow_run_state(made.id, state, force=True)  # type: ignore[arg-type]
    return made.id


def _read(run_id: UUID) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id)


def _state(run_id: UUID) -> tuple[StateType, str | None]:
    state = _read(run_id).state
    assert state is not None
    return state.type, state.name


def _run(run_id: UUID) -> Run:
    run = find_run(run_id)
    assert run is not None
    return run


def _long_ago(run_id: UUID) -> None:
    """Let the lease be out, and Prefect's state be old."""
    rows(
        f"UPDATE orchestrator_runs SET lease_expires_at = now() - interval '1 second' WHERE id = '{run_id}' RETURNING 1"
    )


def _mended(run_id: UUID) -> list[str]:
    """Reconcile; return what was said of this run: the server keeps flow runs of other tests."""
    return [said for said in reconcile() if str(run_id) in said]


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reconciliation act at once: its patience is a table of its own in the unit tests."""
    monkeypatch.setattr("tasks.reconciliation.GRACE_SECONDS", 0.0)
    monkeypatch.setattr("tasks.reconciliation.START_SECONDS", 0.0)
    monkeypatch.setattr("maos.reconciliation.START_SECONDS", 0.0)


def test_a_run_is_taken_up_again_three_times_and_then_closed(org_id: UUID) -> None:
    run_id = add_run(org_id, id=_flow_run(Crashed()))

    said = [recover(_read(run_id), "the process of the run died") for _ in range(4)]

    assert said == [
        "taken up again (1 of 3)",
        "taken up again (2 of 3)",
        "taken up again (3 of 3)",
        "closed as failed after 3 recoveries",
    ]
    assert _state(run_id) == (StateType.SCHEDULED, "AwaitingRecovery")
    ((status, reason),) = rows("SELECT status, error_summary FROM orchestrator_runs")
    assert (status, reason) == (
        "failed",
        "the process of the run died, after 3 recoveries; retry it to go on from what is finished",
    )


def test_the_number_of_recoveries_is_a_setting(org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_RECOVERY_ATTEMPTS", "0")
    run_id = add_run(org_id, id=_flow_run(Crashed()))

    assert recover(_read(run_id), "it died") == "closed as failed after 0 recoveries"


def test_prefect_learns_the_end_of_a_run_that_died_just_after_writing_it(org_id: UUID) -> None:
    run_id = add_run(org_id, id=_flow_run(Crashed()), status="completed", completed_at="2026-11-20T12:00:00+00:00")

    assert recover(_read(run_id), "it died") == "Prefect was told its end"
    assert _state(run_id)[0] is StateType.COMPLETED


def test_a_run_that_died_before_it_was_opened_is_begun_again(org_id: UUID) -> None:  # noqa: ARG001
    run_id = _flow_run(Crashed())

    assert recover(_read(run_id), "it died") == "begun again"
    assert _state(run_id) == (StateType.SCHEDULED, "AwaitingRecovery")


def test_a_request_that_cannot_be_opened_is_not_begun_again(org_id: UUID) -> None:  # noqa: ARG001
    refused = [BadInput("org", "nowhere", "demo"), PlanRefused(["a fault"]), TypeError("no such parameter")]
    for error in refused:
        run_id = _flow_run(Failed())

        recover_failed(flow=recovered, flow_run=_read(run_id), state=Failed(data=error))

        assert _state(run_id)[0] is StateType.FAILED


def test_a_run_that_no_database_answered_is_begun_again(org_id: UUID) -> None:  # noqa: ARG001
    run_id = _flow_run(Failed())

    away = Failed(data=StackError("database", "it does not answer"))
    recover_failed(flow=recovered, flow_run=_read(run_id), state=away)

    assert _state(run_id) == (StateType.SCHEDULED, "AwaitingRecovery")


def test_a_run_whose_worker_died_with_it_is_taken_up_when_its_lease_is_out(org_id: UUID) -> None:
    run_id = add_run(org_id, id=_flow_run(Running()))
    take_lease(_run(run_id))
    assert _mended(run_id) == []

    _long_ago(run_id)
    (said,) = _mended(run_id)

    assert "taken up again (1 of 3)" in said
    assert _state(run_id)[0] is StateType.SCHEDULED
    assert _mended(run_id) == []


def test_a_run_that_no_process_ever_began_is_taken_up(org_id: UUID) -> None:
    run_id = add_run(org_id, id=_flow_run(Pending()))

    (said,) = _mended(run_id)

    assert "taken up again" in said


def test_prefect_is_told_the_end_of_a_run_that_it_takes_for_running(org_id: UUID) -> None:
    run_id = add_run(org_id, id=_flow_run(Running()))
    end_run(_run(run_id), RunStatus.CANCELLED, "no longer wanted")

    (said,) = _mended(run_id)

    assert said.endswith("Prefect was told its end")
    assert _state(run_id)[0] is StateType.CANCELLED
    assert _mended(run_id) == []


def test_a_run_that_only_prefect_knows_and_nobody_executes_is_begun_again(org_id: UUID) -> None:  # noqa: ARG001
    run_id = _flow_run(Running())

    (said,) = _mended(run_id)

    assert "begun again" in said


def test_a_held_run_that_waits_is_left_alone_until_it_is_released(org_id: UUID) -> None:
    from prefect.states import Paused

    run_id = add_run(org_id, id=_flow_run(Paused(timeout_seconds=3600)))
    run = take_lease(_run(run_id))
    hold_run(run, "author@demo.example")
    pause_run(run, GateKind.HOLD)

    assert _mended(run_id) == []


def test_a_completed_flow_run_without_the_end_of_its_run_closes_it(org_id: UUID) -> None:
    run_id = add_run(org_id, id=_flow_run(Completed()))
    add_approval(org_id, run_id)

    (said,) = _mended(run_id)

    assert said.endswith("closed as failed")
    assert rows("SELECT status FROM agent_pending_actions") == [("cancelled",)]


def test_writes_of_an_older_process_are_refused(org_id: UUID) -> None:
    run_id = add_run(org_id)
    older = take_lease(_run(run_id))
    _long_ago(run_id)
    newer = take_lease(_run(run_id))

    with pytest.raises(LeaseLost), run_session(older):
        pass
    with run_session(newer):
        pass
    assert newer.epoch == older.epoch + 1


def test_nobody_takes_a_run_that_a_living_process_holds(org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = add_run(org_id)
    take_lease(_run(run_id))
    monkeypatch.setattr("tasks.leases.LEASE", timedelta(seconds=0.1))

    with pytest.raises(LeaseLost):
        take_lease(_run(run_id))


def test_of_many_processes_that_take_a_run_at_once_one_has_it(org_id: UUID) -> None:
    run_id = add_run(org_id)
    start, taken, lost = threading.Barrier(8), [], []

    def race() -> None:
        start.wait()
        try:
            taken.append(_take_at_once(run_id))
        except LeaseLost:
            lost.append(run_id)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(taken), len(lost)) == (1, 7)


def _take_at_once(run_id: UUID) -> int:
    from tasks.leases import _try_lease

    epoch = _try_lease(_run(run_id))
    if epoch is None:
        raise LeaseLost(str(run_id))
    return epoch


def test_a_taking_over_waits_for_a_write_that_is_under_way(org_id: UUID) -> None:
    run_id = add_run(org_id)
    older = take_lease(_run(run_id))
    _long_ago(run_id)
    order: list[str] = []
    inside = threading.Event()

    def write() -> None:
        with run_session(older) as session:
            inside.set()
            session.execute(text("SELECT pg_sleep(0.3)"))
            order.append("written")

    writer = threading.Thread(target=write)
    writer.start()
    inside.wait()
    take_lease(_run(run_id))
    order.append("taken over")
    writer.join()

    assert order == ["written", "taken over"]


def test_ending_a_run_from_outside_shuts_its_process_out(org_id: UUID) -> None:
    run_id = add_run(org_id)
    held = take_lease(_run(run_id))

    end_run(_run(run_id), RunStatus.CANCELLED, "no longer wanted")

    with pytest.raises(LeaseLost), run_session(held):
        pass
