"""What is due is settled once, in whole batches, and nothing of a run that has ended waits on."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import Engine, event

from maos.approval_policy import ApprovalPolicy, ExpiryOutcome
from maos.approvals import Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.errors import DecisionRefused, LeaseLost
from maos.statuses import RunStatus
from sql import leases
from sql.approval_tables import AgentPendingAction
from sql.approvals import approval_row
from sql.audit import verify_chain
from sql.organizations import ensure_member, ensure_organization
from sql.session import only_one, org_session, system_session
from tasks import overdue
from tasks.approvals import decide
from tasks.leases import LEASE, run_session
from tasks.ledger import find_run
from tasks.notice_delivery import Delivery
from tasks.orphans import withdraw_orphans
from tasks.overdue import keep_queue
from tasks.runs import end_run
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import Bench, step
from tests.rows import add_approval, add_run

_MANY = 1000


def _past() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=1)


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is woken or told: these runs have no flow run, and these tests no Prefect."""
    monkeypatch.setattr(overdue, "wake_all", lambda _run_ids, _person: frozenset())
    monkeypatch.setattr(overdue, "deliver", lambda _org_id, **_named: Delivery())


def _add_due(org_id: UUID, count: int) -> None:
    """Add approvals of one run that are all due."""
    run_id, past = add_run(org_id), _past()
    first = add_approval(org_id, run_id, step_id="act0", expires_at=past)
    with org_session(org_id) as session:
        row = approval_row(first, session=session).model_dump(exclude={"id", "step_id"})
        session.add_all(AgentPendingAction(**row, step_id=f"act{number}") for number in range(1, count))


@pytest.mark.usefixtures("awake")
def test_a_thousand_that_are_due_have_one_end_and_one_audit_row_each(org_id: UUID) -> None:
    _add_due(org_id, _MANY)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        said = keep_queue()
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert said == [f"{_MANY} approvals expired"]
    assert rows("SELECT status, decided_via, count(*) FROM agent_pending_actions GROUP BY 1, 2") == [
        ("expired", "system", _MANY)
    ]
    assert rows(
        "SELECT count(*), count(DISTINCT approval_id) FROM agent_action_audit_log WHERE event = 'approval.expired'"
    ) == [(_MANY, _MANY)]
    # What says that a minute is enough for them: they are written in batches, not one by one.
    assert len(statements) < _MANY / 2
    with system_session() as session:
        assert verify_chain(org_id, session=session)[1] is None
    assert keep_queue() == []


@pytest.mark.usefixtures("awake")
def test_every_organisation_and_approvals_without_a_run_are_kept(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
        ensure_member("ann@other.example", "Ann", "reviewer", org_id=other, session=session)
    add_approval(org_id, None, kind="exemption", expires_at=_past())  # type: ignore[arg-type] # it concerns no run
    add_approval(other, add_run(other), expires_at=_past())

    keep_queue()

    assert rows("SELECT status FROM agent_pending_actions") == [("expired",), ("expired",)]


@pytest.mark.usefixtures("awake")
def test_a_keeper_that_dies_leaves_whole_batches_and_the_rest_to_the_next(
    org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "_AT_ONCE", 2)
    run_id = add_run(org_id)
    for number in range(5):
        add_approval(org_id, run_id, step_id=f"act{number}", expires_at=_past())
    settle, seen = overdue.expire_all, []

    def die(due: list[object], **named: object) -> object:
        done = settle(due, **named)  # type: ignore[arg-type] # passed on as it came
        seen.append(due)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(overdue, "expire_all", die)
    with pytest.raises(KeyboardInterrupt):
        keep_queue()

    expired, told = "status = 'expired'", "event = 'approval.expired'"
    assert rows(f"SELECT count(*) FROM agent_pending_actions WHERE {expired}") == [(2,)]
    assert rows(f"SELECT count(*) FROM agent_action_audit_log WHERE {told}") == [(2,)]

    keep_queue()
    assert rows(f"SELECT count(*) FROM agent_pending_actions WHERE {expired}") == [(5,)]
    assert rows(f"SELECT count(*) FROM agent_action_audit_log WHERE {told}") == [(5,)]


@pytest.mark.usefixtures("awake")
def test_one_keeper_settles_at_a_time(org_id: UUID) -> None:
    add_approval(org_id, add_run(org_id), expires_at=_past())
    with system_session() as session:
        assert only_one(overdue._SETTLING, session=session)

        assert keep_queue() == []

    assert keep_queue()[0] == "1 approvals expired"


def test_a_run_whose_approval_expires_in_its_sleep_is_woken_and_ends_as_its_plan_says(
    bench: Bench, database: str
) -> None:
    bench.plan(step("act", "note_high", text="acted"))
    run = bench.run_beside()
    wait_for(pending)
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE status = 'paused'"))
    _as_admin(database, "UPDATE agent_pending_actions SET expires_at = clock_timestamp()")

    keep_queue()

    assert not run.end().is_completed()
    assert bench.effects == []
    assert rows("SELECT status FROM agent_pending_actions") == [("expired",)]


def test_an_escalation_shows_its_new_deadline_on_the_form(
    bench: Bench, database: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.gates.asked_policy", lambda _payload: ApprovalPolicy(on_expiry=ExpiryOutcome.ESCALATE))
    bench.plan(step("act", "note_high", text="acted"))
    run = bench.run_beside()
    wait_for(pending)
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE status = 'paused'"))
    _as_admin(database, "UPDATE agent_pending_actions SET expires_at = clock_timestamp()")

    keep_queue()

    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE status = 'paused' AND gate_round = 2"))
    assert rows("SELECT status, escalated, expires_at > now() + interval '7 hours' FROM agent_pending_actions") == [
        ("pending", True, True)
    ]
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert run.end().is_completed()
    assert bench.effects == ["acted"]
    assert org_id


def _as_admin(database: str, statement: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize("status", [RunStatus.CANCELLED, RunStatus.FAILED])
def test_a_run_that_ends_closes_its_gates_in_the_same_transaction(org_id: UUID, status: RunStatus) -> None:
    run_id = add_run(org_id)
    approval_id = add_approval(org_id, run_id)
    run = find_run(run_id)
    assert run is not None

    end_run(run, status, "no longer wanted")

    # The id of the transaction that wrote a row last.
    assert rows(
        f"SELECT a.status, r.status = '{status}', a.xmin = r.xmin FROM agent_pending_actions a "
        "JOIN orchestrator_runs r ON r.id = a.run_id"
    ) == [("cancelled", True, True)]
    with pytest.raises(DecisionRefused, match="already cancelled"):
        decide(approval_id, DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.FORM))


def test_what_was_approved_cannot_be_carried_out_once_its_run_has_ended(org_id: UUID) -> None:
    run_id = add_run(org_id)
    with org_session(org_id) as session:
        epoch = leases.take_lease(run_id, LEASE, session=session)
    run = find_run(run_id)
    assert run is not None
    held = run.model_copy(update={"epoch": epoch})
    with run_session(held):
        pass

    end_run(run, RunStatus.CANCELLED, "no longer wanted")

    # Every write of an attempt begins so, using up its approval included.
    with pytest.raises(LeaseLost), run_session(held):
        pass


def test_an_orphan_is_withdrawn_and_counted(org_id: UUID) -> None:
    ended = add_run(org_id, status="cancelled", completed_at=datetime.now(UTC))
    planted, kept = add_approval(org_id, ended), add_approval(org_id, add_run(org_id), id=uuid4())

    assert withdraw_orphans() == [f"run {ended}: 1 approvals withdrawn, the run has ended"]
    assert withdraw_orphans() == []

    assert dict(rows("SELECT id, status FROM agent_pending_actions")) == {planted: "cancelled", kept: "pending"}
    assert rows(f"SELECT event FROM agent_action_audit_log WHERE approval_id = '{planted}'") == [
        ("approval.cancelled",)
    ]
