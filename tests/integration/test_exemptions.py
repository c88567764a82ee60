"""What an exemption covers, what ends it, and that no race gets past its end."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from maos.actions import StepOutcome
from maos.approvals import Decision
from maos.effects import Effect, EffectKind
from maos.errors import ApprovalInvalid, DecisionRefused, EngineFailure
from maos.evidence_approvals import approval_findings
from maos.failures import FailureKind
from maos.learning import Exemption
from maos.plans import Plan
from maos.risk import RiskLevel
from maos.runs import Run
from sql.exemptions import hold_in_force
from sql.session import org_session, system_session
from tasks.abandonment import abandon_running
from tasks.attempts import Attempt
from tasks.evidence import Audience, evidence_of
from tasks.exemptions import withdraw_exemption
from tasks.gates import open_gate
from tasks.learning import records_of
from tasks.leases import run_session
from tasks.ledger import find_run, survey
from tasks.payloads import payload_of
from tasks.plan_approvals import ask_about_plan
from tasks.policies import store_policy
from tasks.proposals import propose_exemptions
from tasks.rollbacks import roll_back
from tasks.services.registry import ServiceCall, internal_service
from tests.gates import REVIEWER, rows, wait_for
from tests.histories import NOTE, OWNER, answer, decided, ended_because, learn_notes, signed_exemption
from tests.plans import Bench, NoteParameters, step
from tests.rows import add_run

_TRIALS = 12


@pytest.fixture
def learner(org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> UUID:
    """The organisation, which has learning switched on and has approved 200 notes."""
    # Its actions are known from here on; nothing of Prefect is needed.
    Bench(monkeypatch, tmp_path)
    learn_notes(org_id)
    return org_id


@pytest.fixture
def exemption(learner: UUID) -> Exemption:
    """The exemption of notes, which an owner has signed."""
    return signed_exemption(learner)


def _run(org_id: UUID, *, action: str = "note_medium", words: str = "a", **fields: Any) -> Run:
    """Return a run of one step that is about to be asked about."""
    plan = Plan(steps=(step("a", action, text=words),)).model_dump(mode="json")
    found = find_run(add_run(org_id, plan=plan, rehearsal=fields.pop("rehearsal", False), **fields))
    assert found is not None
    return found


def _status(run: Run) -> str:
    open_gate.fn(run, "a")
    newest = "ORDER BY started_at DESC LIMIT 1"
    ((status,),) = rows(f"SELECT status FROM agent_pending_actions WHERE run_id = '{run.id}' {newest}")
    return str(status)


def test_it_holds_in_semi_autonomous_runs_and_not_in_supervised_ones(exemption: Exemption) -> None:
    assert _status(_run(exemption.org_id, autonomy="supervised")) == "pending"
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
    assert _status(_run(exemption.org_id, words="b")) == "approved"
    assert _status(_run(exemption.org_id, action="note_high")) == "pending"
    assert _status(_run(exemption.org_id, words="b@else.example")) == "pending"


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


@pytest.mark.parametrize("last", [True, False])
def test_a_try_that_fails_ends_it_when_it_was_the_last(exemption: Exemption, last: bool) -> None:
    run = _run(exemption.org_id)
    _status(run)
    kind = FailureKind.SERVICE_ERROR if last else FailureKind.UNREACHABLE

    with pytest.raises(EngineFailure), Attempt(payload_of(run, "a")):
        raise EngineFailure(kind, "as told")

    failed = "an action like it failed: the engine did not deliver (service error)"
    assert ended_because(exemption.org_id) == (failed if last else None)
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'exemption.withdrawn'") == [(int(last),)]


def test_a_use_holds_in_the_evidence_of_its_run_and_a_forged_one_does_not(exemption: Exemption) -> None:
    run = _run(exemption.org_id)
    _status(run)
    _carry_out(run)
    found = evidence_of(run.id, Audience.INTERNAL)
    (approval,) = found.approvals

    assert approval.decided_by == exemption.name
    assert list(approval_findings(found)) == []
    told = tuple(link for link in found.chain.links if link.row is None or link.row["event"] != "approval.exempted")
    chain = found.chain.model_copy(update={"links": told})
    forged = [finding.reason for finding in approval_findings(found.model_copy(update={"chain": chain}))]
    assert "the audit log does not have the exemption that approved it" in forged


def test_an_open_proposal_ends_with_a_rejection_too_and_cannot_be_signed(learner: UUID) -> None:
    (proposed,) = propose_exemptions(learner)
    run = _run(learner)
    _status(run)
    ((asked,),) = rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{run.id}'")

    answer(asked, decision=Decision.REJECT)

    assert ended_because(learner) == f"an action like it was not approved by {REVIEWER}: because"
    with pytest.raises(DecisionRefused, match="cancelled"):
        answer(proposed.approval_id, OWNER)


def test_what_is_approved_with_a_plan_is_an_example_that_does_not_count(learner: UUID) -> None:
    run = _run(learner)
    _, ledger = survey(run)
    assert ask_about_plan(run, ledger)
    ((asked,),) = rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{run.id}' AND kind = 'plan'")

    answer(asked)

    (record,) = records_of(learner).values()
    assert (record.decisions, record.at_once) == (200, 1)
    with pytest.raises(EngineFailure), Attempt(payload_of(run, "a")):
        raise EngineFailure(FailureKind.SERVICE_ERROR, "as told")
    assert [record.rollbacks for record in records_of(learner).values()] == [1]


def test_a_rejection_in_a_rehearsal_says_nothing(exemption: Exemption) -> None:
    run = _run(exemption.org_id, autonomy="supervised", rehearsal=True)
    _status(run)
    ((asked,),) = rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{run.id}'")

    answer(asked, decision=Decision.REJECT)

    assert ended_because(exemption.org_id) is None


def test_a_doubt_that_a_dead_process_leaves_ends_it(learner: UUID) -> None:
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
        answer(proposed.approval_id, OWNER)
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
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool:
        with org_session(exemption.org_id) as session:
            assert hold_in_force(NOTE, org_id=exemption.org_id, session=session) is not None
            withdrawal = pool.submit(withdraw_exemption, exemption.id, person=OWNER, note="new staff")
            wait_for(lambda: rows(waiting) == [(1,)])
            assert not withdrawal.done()
        withdrawal.result()

    assert ended_because(exemption.org_id) == f"by {OWNER}: new staff"


def test_of_a_racing_use_and_rejection_either_comes_first_and_nothing_runs_after(exemption: Exemption) -> None:
    used = 0
    for _ in range(_TRIALS):
        user, rejected = _run(exemption.org_id), _run(exemption.org_id, autonomy="supervised")
        assert (_status(user), _status(rejected)) == ("approved", "pending")
        ((asked,),) = rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{rejected.id}'")
        with ThreadPoolExecutor(2) as pool:
            use = pool.submit(_try_to_use, user)
            rejection = pool.submit(answer, asked, REVIEWER, Decision.REJECT)
            rejection.result()
            used += use.result()

        assert ended_because(exemption.org_id)
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
