"""What an exemption lets run, that it asks again after one rejection or failure, and that no race gets past that."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from maos.actions import StepOutcome
from maos.approvals import Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.effects import Effect, EffectKind
from maos.errors import ApprovalInvalid, DecisionRefused, EngineFailure, FailureKind
from maos.learning import Exemption, Likeness
from maos.risk import RiskLevel
from maos.runs import Run
from sql.exemptions import hold_in_force, list_exemptions
from sql.session import org_session, system_session
from tasks.abandonment import abandon_running
from tasks.approvals import decide
from tasks.attempts import Attempt
from tasks.exemptions import withdraw_exemption
from tasks.gates import open_gate
from tasks.learning import records_of
from tasks.leases import run_session
from tasks.ledger import find_run
from tasks.payloads import payload_of
from tasks.policies import store_policy
from tasks.proposals import propose_exemptions
from tasks.rollbacks import roll_back
from tasks.services.registry import ServiceCall, internal_service
from tests.gates import REVIEWER, pending, rows, wait_for
from tests.histories import decided
from tests.plans import Bench, NoteParameters, step
from tests.rows import add_run

_TRIALS = 12
OWNER = "owner@demo.example"
NOTE = Likeness(team=None, action="note_medium", shape="text=text", risk=RiskLevel.MEDIUM)


@pytest.fixture
def learner(bench: Bench, org_id: UUID) -> UUID:  # noqa: ARG001 - its actions are known from here on
    """The organisation, which has learning switched on and has approved 200 notes."""
    store_policy(org_id, "learning: true\n", person=OWNER, reason="we want to learn")
    decided(org_id, 200, likeness=NOTE)
    return org_id


@pytest.fixture
def exemption(learner: UUID) -> Exemption:
    """The exemption of notes, which an owner has signed."""
    (proposed,) = propose_exemptions(learner)
    _decide(proposed.approval_id, OWNER)
    return proposed


def _decide(approval_id: UUID, person: str = REVIEWER, decision: Decision = Decision.APPROVE) -> None:
    request = DecisionRequest(decision=decision, reviewer=person, note="because", via=DecisionPath.COMMAND_LINE)
    decide(approval_id, request)


def _ended(org_id: UUID) -> str | None:
    with org_session(org_id) as session:
        ((row, _),) = list_exemptions(org_id, session=session)
    return row.withdrawn_reason


def _asked_in_turn(bench: Bench, decision: Decision = Decision.APPROVE, **fields: object) -> None:
    """Run the plan of the bench, which asks a person exactly once."""
    beside = bench.run_beside(**fields)
    (approval,) = wait_for(pending)
    _decide(approval.id, decision=decision)
    beside.end()


def test_the_exempt_step_runs_unasked_and_asks_again_after_one_rejection(bench: Bench, exemption: Exemption) -> None:
    bench.plan(step("a", "note_medium", text="first"))
    assert bench.run().is_completed()

    ((status, decided_by, decided_via, used),) = rows(
        "SELECT status, decided_by, decided_via, consumed_at IS NOT NULL FROM agent_pending_actions WHERE step_id = 'a'"
    )
    assert (status, decided_by, decided_via, used) == ("approved", exemption.name, "exemption", True)
    audited = rows("SELECT event, was_automatic, summary FROM agent_action_audit_log WHERE step_id = 'a'")
    assert {event: automatic for event, automatic, _ in audited} == {
        "approval.exempted": True,
        "step.completed": True,
    }
    assert all(exemption.name in summary for _, _, summary in audited)

    # Supervised, everything asks; what is rejected there is rejected.
    bench.plan(step("b", "note_medium", text="second"))
    _asked_in_turn(bench, Decision.REJECT, autonomy="supervised")
    assert _ended(exemption.org_id) == f"an action like it was not approved by {REVIEWER}: because"

    bench.plan(step("c", "note_medium", text="third"))
    _asked_in_turn(bench)
    assert bench.effects == ["first", "third"]
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'exemption.withdrawn'") == [(1,)]
    assert propose_exemptions(exemption.org_id) == []


def test_a_proposal_alone_lets_nothing_run(bench: Bench, learner: UUID) -> None:
    propose_exemptions(learner)
    bench.plan(step("a", "note_medium", text="asked"))

    beside = bench.run_beside()
    waiting = wait_for(lambda: [each for each in pending() if each.step_id == "a"])
    _decide(waiting[0].id)

    assert beside.end().is_completed()


def _fail(bench: Bench, folder: Path, kind: FailureKind, *, times: int) -> None:
    tally = folder / "tally"
    tally.touch()

    def before(_name: str) -> None:
        with tally.open("a") as file:
            file.write(".")
        if len(tally.read_text()) <= times:
            raise EngineFailure(kind, "as told")

    bench.before = before


@pytest.mark.parametrize(
    ("kind", "times", "ended"),
    [
        (FailureKind.SERVICE_ERROR, 1, "an action like it failed: the engine did not deliver (service error)"),
        # The next try helps: it has not failed.
        (FailureKind.UNREACHABLE, 1, None),
    ],
)
def test_one_failure_for_good_ends_it(
    bench: Bench, exemption: Exemption, tmp_path: Path, kind: FailureKind, times: int, ended: str | None
) -> None:
    _fail(bench, tmp_path, kind, times=times)
    bench.plan(step("a", "note_medium", text="a"))

    assert bench.run().is_completed() == (ended is None)
    assert _ended(exemption.org_id) == ended


def _run(org_id: UUID, *, action: str = "note_medium", **fields: Any) -> Run:
    """Return a run of one step that is about to be asked about."""
    plan = {"steps": [step("a", action, text="a").model_dump(mode="json")]}
    found = find_run(add_run(org_id, plan=plan, rehearsal=False, **fields))
    assert found is not None
    return found


def _status(run: Run) -> str:
    open_gate.fn(run, "a")
    newest = "ORDER BY started_at DESC LIMIT 1"
    ((status,),) = rows(f"SELECT status FROM agent_pending_actions WHERE run_id = '{run.id}' {newest}")
    return str(status)


@pytest.mark.parametrize("autonomy", ["supervised", "autonomous"])
def test_it_holds_in_semi_autonomous_runs_alone(exemption: Exemption, autonomy: str) -> None:
    assert _status(_run(exemption.org_id, autonomy=autonomy)) == "pending"
    assert _status(_run(exemption.org_id)) == "approved"


@pytest.mark.parametrize(
    "policy",
    [
        # Raised above what was signed; asked for all of its risk; learning off again.
        "learning: true\nrisk_rules:\n  - {raise_to: high, actions: [note_medium]}\n",
        "learning: true\nautonomy: supervised\n",
        "learning: false\n",
    ],
)
def test_it_holds_neither_where_the_policy_raises_the_risk_nor_where_learning_is_off(
    exemption: Exemption, policy: str
) -> None:
    store_policy(exemption.org_id, policy, person=OWNER, reason="stricter")

    assert _status(_run(exemption.org_id)) == "pending"


def test_another_action_or_shape_is_asked_about(exemption: Exemption) -> None:
    assert _status(_run(exemption.org_id, action="note_high")) == "pending"
    plan = {"steps": [step("a", "note_medium", text="b@else.example").model_dump(mode="json")]}
    run = find_run(add_run(exemption.org_id, plan=plan, rehearsal=False))
    assert run is not None
    assert _status(run) == "pending"


def test_what_was_approved_by_an_exemption_is_not_used_once_that_is_withdrawn(exemption: Exemption) -> None:
    run = _run(exemption.org_id)
    assert _status(run) == "approved"
    withdraw_exemption(exemption.id, person=OWNER, note="new staff")

    with pytest.raises(ApprovalInvalid, match="covers it no longer"), Attempt(payload_of(run, "a")):
        pass

    assert rows(f"SELECT count(*) FROM agent_invocations WHERE run_id = '{run.id}'") == [(0,)]


def test_a_step_that_an_exemption_has_approved_once_is_not_approved_by_one_again(exemption: Exemption) -> None:
    run = _run(exemption.org_id)

    assert [_status(run), _status(run)] == ["approved", "pending"]


def _carry_out(run: Run) -> str:
    """Carry out the step as an engine does; return the id of its approval."""
    with Attempt(payload_of(run, "a")) as attempt:
        attempt.complete(StepOutcome(output={"text": "a"}, summary="Noted."))
    ((approval_id,),) = rows(f"SELECT approval_id FROM agent_invocations WHERE run_id = '{run.id}'")
    return str(approval_id)


def test_a_rollback_of_a_use_ends_it_and_counts_although_no_person_had_approved(exemption: Exemption) -> None:
    run = _run(exemption.org_id)
    _status(run)
    approval_id = UUID(_carry_out(run))

    ended = roll_back(approval_id, person=REVIEWER, note="wrong customer")

    assert ended == [f"{exemption.name} withdrawn: an action like it was wrong, says {REVIEWER}: wrong customer"]
    assert [record.rollbacks for record in records_of(exemption.org_id).values()] == [1]


def test_an_open_proposal_ends_with_a_rejection_too_and_cannot_be_signed(learner: UUID) -> None:
    (proposed,) = propose_exemptions(learner)
    run = _run(learner)
    _status(run)
    ((asked,),) = rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{run.id}'")

    _decide(asked, decision=Decision.REJECT)

    assert _ended(learner) == f"an action like it was not approved by {REVIEWER}: because"
    with pytest.raises(DecisionRefused, match="cancelled"):
        _decide(proposed.approval_id, OWNER)


def test_a_rejection_in_a_rehearsal_says_nothing(exemption: Exemption) -> None:
    run = _run(exemption.org_id, autonomy="supervised", rehearsal=True)
    _status(run)
    ((asked,),) = rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{run.id}'")

    _decide(asked, decision=Decision.REJECT)

    assert _ended(exemption.org_id) is None


def test_a_doubt_that_a_dead_process_leaves_ends_it(bench: Bench, learner: UUID) -> None:  # noqa: ARG001
    @internal_service(
        action="send_note",
        risk=RiskLevel.MEDIUM,
        title="Send a note.",
        parameters=NoteParameters,
        effect=Effect(kind=EffectKind.EMAIL),
        confirmed=lambda _call: StepOutcome(output={}, summary="Sent."),
    )
    def send(_call: ServiceCall[NoteParameters]) -> StepOutcome:
        raise AssertionError

    decided(learner, 200, likeness=NOTE.model_copy(update={"action": "send_note"}))
    for proposed in propose_exemptions(learner):
        _decide(proposed.approval_id, OWNER)
    run = _run(learner, action="send_note")
    assert _status(run) == "approved"
    # Its process dies while it works.
    Attempt(payload_of(run, "a")).__enter__()

    with run_session(run) as session:
        abandon_running(run, session=session)

    assert rows("SELECT action, withdrawn_reason FROM approval_exemptions ORDER BY action") == [
        ("note_medium", None),
        ("send_note", "an action like it was left in doubt"),
    ]


def test_a_withdrawal_waits_for_a_use_that_has_begun(exemption: Exemption) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%exemptions%'"
    with ThreadPoolExecutor(1) as pool:
        with org_session(exemption.org_id) as session:
            assert hold_in_force(NOTE, org_id=exemption.org_id, session=session) is not None
            withdrawal = pool.submit(withdraw_exemption, exemption.id, person=OWNER, note="new staff")
            wait_for(lambda: rows(waiting) == [(1,)])
            assert not withdrawal.done()
        withdrawal.result()

    assert _ended(exemption.org_id) == f"by {OWNER}: new staff"


def test_of_a_racing_use_and_rejection_either_comes_first_and_nothing_runs_after(exemption: Exemption) -> None:
    used = 0
    for _ in range(_TRIALS):
        user, rejected = _run(exemption.org_id), _run(exemption.org_id, autonomy="supervised")
        assert (_status(user), _status(rejected)) == ("approved", "pending")
        ((asked,),) = rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{rejected.id}'")
        with ThreadPoolExecutor(2) as pool:
            use = pool.submit(_try_to_use, user)
            rejection = pool.submit(_decide, asked, REVIEWER, Decision.REJECT)
            rejection.result()
            used += use.result()

        assert _ended(exemption.org_id)
        assert not _try_to_use(user)
        assert _status(_run(exemption.org_id)) == "pending"
        with system_session() as session:
            session.execute(text("UPDATE approval_exemptions SET withdrawn_at = NULL, withdrawn_reason = NULL"))
    begun = "SELECT count(*) FROM agent_invocations WHERE status = 'completed' AND step_id = 'a'"
    assert rows(begun) == [(used,)]


def _try_to_use(run: Run) -> bool:
    try:
        _carry_out(run)
    except ApprovalInvalid:
        return False
    return True
