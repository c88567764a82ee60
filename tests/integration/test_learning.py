"""What is counted of past decisions, what is proposed, and who may sign it."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from console.learning import learning
from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.errors import BadInput, DecisionRefused
from maos.learning import EXEMPTION_STEP, TrackRecord
from maos.risk import RiskLevel
from sql.approvals import find_approval
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from sql.tables import utc_now
from tasks.approvals import decide
from tasks.learning import records_of, weekly_vigilance
from tasks.policies import store_policy
from tasks.proposals import propose_exemptions, propose_for_all
from tests.gates import rows
from tests.histories import ANN, BOB, LIKENESS, add_people, decided

OWNER = "owner@demo.example"
REVIEWER = "reviewer@demo.example"


@pytest.fixture
def learner(org_id: UUID) -> UUID:
    """The organisation, which has learning switched on."""
    store_policy(org_id, "learning: true\n", person=OWNER, reason="we want to learn")
    return org_id


def _record(org_id: UUID) -> TrackRecord:
    ((likeness, record),) = records_of(org_id).items()
    assert likeness == LIKENESS
    return record


def _answer(
    approval_id: UUID, person: str = OWNER, decision: Decision = Decision.APPROVE, note: str = "read"
) -> Approval:
    request = DecisionRequest(decision=decision, reviewer=person, note=note, via=DecisionPath.COMMAND_LINE)
    return decide(approval_id, request)


def _invoke(*arguments: str) -> str:
    done = CliRunner().invoke(learning, [*arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _json(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_invoke(*arguments, "--json"))
    return found


def test_decisions_are_counted_by_what_people_made_of_them(org_id: UUID) -> None:
    decided(org_id, 5)
    decided(org_id, 2, people=(BOB,), decision=Decision.REJECT)
    decided(org_id, 1, people=(ANN,), decision=Decision.EDIT)
    decided(org_id, 4, via=DecisionPath.BULK)
    decided(org_id, 1, people=(ANN,), decision=Decision.REJECT, via=DecisionPath.BULK)
    decided(org_id, 9, rehearsal=True)
    decided(org_id, 9, asked_at=utc_now() - timedelta(days=366))

    record = _record(org_id)

    # Five approved, two rejected, one edited, one rejected in bulk; approvals in bulk count for nothing.
    assert (record.decisions, record.approvals, record.at_once, record.rollbacks) == (9, 5, 4, 0)
    assert record.by_person == {ANN: 4, BOB: 4}


@pytest.mark.parametrize(
    ("attempt", "rollbacks"),
    [
        ({"status": "failed", "error_kind": "service_error"}, 1),
        ({"status": "in_doubt"}, 1),
        ({"status": "failed", "error_kind": "process_died"}, 0),
        ({"status": "completed"}, 0),
    ],
)
def test_what_failed_or_was_left_in_doubt_is_a_rollback(org_id: UUID, attempt: dict[str, Any], rollbacks: int) -> None:
    decided(org_id, 1, attempt=attempt)

    assert _record(org_id).rollbacks == rollbacks


def test_a_try_that_failed_before_one_that_did_not_is_no_rollback(org_id: UUID) -> None:
    (approval_id,) = decided(org_id, 1, attempt={"attempt": 2})
    with org_session(org_id) as session:
        session.execute(
            text(
                "INSERT INTO agent_invocations (org_id, run_id, step_id, attempt, agent_name, engine_type, action, "
                "approval_id, rehearsal, input_summary, status, error_kind, started_at, completed_at) "
                "SELECT org_id, run_id, step_id, 1, agent_name, engine_type, action, approval_id, rehearsal, "
                "input_summary, 'failed', 'unreachable', started_at, completed_at FROM agent_invocations "
                "WHERE approval_id = :id"
            ),
            {"id": approval_id},
        )

    assert _record(org_id).rollbacks == 0


def test_what_is_of_another_risk_team_or_shape_is_counted_apart(org_id: UUID) -> None:
    for change in ({}, {"risk": RiskLevel.HIGH}, {"team": "sales"}, {"shape": "body=text to=1x(address)"}):
        decided(org_id, 2, likeness=LIKENESS.model_copy(update=change))

    assert [record.decisions for record in records_of(org_id).values()] == [2, 2, 2, 2]
    assert [likeness.team for likeness in records_of(org_id, "sales")] == ["sales"]
    assert len(_json("show", "--team", "sales")) == 1


def test_nothing_is_learned_from_another_organisation(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    decided(org_id, 3)

    assert records_of(other) == {}


def test_two_hundred_approvals_by_two_people_are_proposed_once_and_signed_by_an_owner(learner: UUID) -> None:
    decided(learner, 200)

    (proposed,) = propose_exemptions(learner)

    assert propose_exemptions(learner) == []
    assert not proposed.in_force
    with system_session() as session:
        approval = find_approval(proposed.approval_id, session=session)
    assert approval is not None
    assert (approval.run_id, approval.step_id, approval.initiator) == (None, EXEMPTION_STEP, "maos")
    assert "200 of 200 decisions approved" in approval.preview
    with pytest.raises(DecisionRefused, match="role"):
        _answer(proposed.approval_id, REVIEWER)
    _answer(proposed.approval_id)
    assert rows("SELECT signed_by, withdrawn_at, based_on->>'bound' FROM approval_exemptions") == [
        (OWNER, None, "0.981155")
    ]
    events = rows("SELECT event, actor FROM agent_action_audit_log WHERE event LIKE 'exemption.%' ORDER BY sequence")
    assert events == [("exemption.proposed", "maos"), ("exemption.signed", OWNER)]
    (shown,) = _json("exemptions", "--org", "demo")
    assert (shown["status"], shown["used"], shown["based_on"]["decisions"]) == ("in force", 0, 200)


@pytest.mark.parametrize(
    "history",
    [
        {"number": 199},
        {"number": 300, "people": (ANN,)},
        {"number": 300, "via": DecisionPath.BULK},
        {"number": 300, "rehearsal": True},
        {"number": 300, "likeness": LIKENESS.model_copy(update={"risk": RiskLevel.HIGH})},
        {"number": 300, "likeness": LIKENESS.model_copy(update={"risk": RiskLevel.CRITICAL})},
        {"number": 300, "likeness": LIKENESS.model_copy(update={"action": "gone_since"})},
    ],
)
def test_less_is_not_proposed(learner: UUID, history: dict[str, Any]) -> None:
    decided(learner, **history)

    assert propose_exemptions(learner) == []


def test_two_rejections_among_two_hundred_are_too_many(learner: UUID) -> None:
    decided(learner, 198)
    decided(learner, 2, decision=Decision.REJECT)

    assert propose_exemptions(learner) == []
    (row,) = _json("show", "--org", "demo")
    assert (row["bound"], row["lacks"]) == ("0.9643", "bound 0.9643 of 0.98")


def test_one_rollback_is_too_many_and_anybody_who_reviews_may_mark_it(learner: UUID) -> None:
    approval_id = decided(learner, 200)[7]

    with pytest.raises(BadInput, match="role"):
        _invoke("rollback", str(approval_id), "--as", "author@demo.example", "--note", "no")
    _invoke("rollback", str(approval_id), "--as", REVIEWER, "--note", "the customer had left")
    with pytest.raises(BadInput, match="not marked yet"):
        _invoke("rollback", str(approval_id), "--as", REVIEWER, "--note", "again")

    assert propose_exemptions(learner) == []
    assert rows("SELECT marked_by, note FROM approval_rollbacks") == [(REVIEWER, "the customer had left")]
    assert rows("SELECT success, summary FROM agent_action_audit_log WHERE event = 'approval.rolled_back'") == [
        (False, f"marked as wrong by {REVIEWER}: the customer had left")
    ]


def test_what_was_never_carried_out_cannot_be_rolled_back(org_id: UUID) -> None:
    (approval_id,) = decided(org_id, 1, decision=Decision.REJECT)

    with pytest.raises(BadInput, match="carried out"):
        _invoke("rollback", str(approval_id), "--as", REVIEWER, "--note", "no")


def test_without_learning_nothing_is_proposed(org_id: UUID) -> None:
    decided(org_id, 200)

    assert propose_exemptions(org_id) == []
    assert propose_for_all() == []


def test_whoever_made_more_than_half_of_the_decisions_may_not_sign(learner: UUID) -> None:
    add_people(learner, OWNER, "second@demo.example", role="owner")
    decided(learner, 200, people=(OWNER, OWNER, BOB))
    (proposed,) = propose_exemptions(learner)

    with pytest.raises(DecisionRefused, match="self-approval"):
        _answer(proposed.approval_id, OWNER)
    _answer(proposed.approval_id, "second@demo.example")
    assert rows("SELECT signed_by FROM approval_exemptions") == [("second@demo.example",)]


@pytest.mark.parametrize("end", ["rejected", "expired"])
def test_a_proposal_that_was_not_signed_is_not_made_again_for_thirty_days(learner: UUID, end: str) -> None:
    decided(learner, 200)
    (proposed,) = propose_exemptions(learner)
    if end == "rejected":
        _answer(proposed.approval_id, decision=Decision.REJECT, note="not yet")
    else:
        with system_session() as session:
            session.execute(
                text(
                    "UPDATE agent_pending_actions SET status = 'expired', decided_by = 'maos', decided_via = 'system', "
                    "decided_at = now() WHERE id = :id"
                ),
                {"id": proposed.approval_id},
            )

    assert propose_exemptions(learner) == []
    ((reason,),) = rows("SELECT withdrawn_reason FROM approval_exemptions")
    assert reason == {"rejected": f"not signed by {OWNER}: not yet", "expired": "nobody signed it in time"}[end]
    with system_session() as session:
        session.execute(text("UPDATE approval_exemptions SET withdrawn_at = now() - interval '31 days'"))
    assert len(propose_exemptions(learner)) == 1


def test_the_command_and_the_flow_propose_for_every_organisation_that_learns(learner: UUID) -> None:
    decided(learner, 200)

    (row,) = _json("propose")

    assert (row["org"], row["action"], row["status"]) == ("demo", "send_email", "proposed")
    assert propose_for_all() == []


def test_an_owner_withdraws_and_nobody_else(learner: UUID) -> None:
    decided(learner, 200)
    (proposed,) = propose_exemptions(learner)
    _answer(proposed.approval_id)

    with pytest.raises(BadInput, match="role owner"):
        _invoke("withdraw", str(proposed.id), "--as", REVIEWER, "--note", "no")
    _invoke("withdraw", str(proposed.id)[:8], "--as", OWNER, "--note", "new staff")
    with pytest.raises(BadInput, match="open"):
        _invoke("withdraw", str(proposed.id), "--as", OWNER, "--note", "again")

    assert rows("SELECT withdrawn_reason FROM approval_exemptions") == [(f"by {OWNER}: new staff",)]
    (shown,) = _json("exemptions")
    assert shown["status"] == "withdrawn"


def test_the_database_holds_one_open_exemption_of_a_kind_and_no_risky_one(learner: UUID) -> None:
    decided(learner, 200)
    propose_exemptions(learner)
    again = (
        "INSERT INTO approval_exemptions "
        "(org_id, action, shape, shape_version, risk, approval_id, based_on, proposed_at) "
        "SELECT org_id, action, shape, shape_version, {risk}, "
        "(SELECT id FROM agent_pending_actions WHERE kind = 'action' LIMIT 1), based_on, now() FROM approval_exemptions"
    )

    for risk, constraint in (("risk", "one_open"), ("'high'", "risk_check")):
        with pytest.raises(IntegrityError, match=constraint), org_session(learner) as session:
            session.execute(text(again.format(risk=risk)))


@pytest.mark.parametrize("column", ["shape", "risk", "based_on", "approval_id"])
def test_what_an_exemption_covers_cannot_be_changed(learner: UUID, column: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), org_session(learner) as session:
        session.execute(text(f"UPDATE approval_exemptions SET {column} = {column}"))


def test_the_weekly_report_tells_how_people_decided(org_id: UUID) -> None:
    decided(org_id, 12, people=(ANN,))
    decided(org_id, 3, people=(BOB,), via=DecisionPath.BULK)
    until = utc_now()

    reports = weekly_vigilance(until - timedelta(weeks=2), until)

    assert set(reports) == {"demo"}
    assert "| `ann@demo.example` | medium | 12 | 0 | 100% |" in reports["demo"]
    shown = {row["person"]: row for row in _json("vigilance", "--weeks", "2")}
    assert (shown[BOB]["at_once"], shown[BOB]["words_per_minute"], shown[ANN]["flagged"]) == (3, None, False)
    assert weekly_vigilance(until, until + timedelta(weeks=1)) == {}
    assert "decisions of 2 weeks" in _invoke("vigilance", "--weeks", "2")
