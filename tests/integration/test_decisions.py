"""Of any number of people who decide one approval, exactly one does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.errors import DecisionRefused
from maos.statuses import ApprovalStatus
from sql.approvals import consume, find_approval
from sql.organizations import ensure_member, ensure_organization
from sql.session import org_session, system_session
from tasks.approvals import decide
from tests.rows import add_approval, add_run

_RACERS = 16
_TRIALS = 12


def _request(decision: Decision, reviewer: str = "reviewer@demo.example", via: str = "form") -> DecisionRequest:
    return DecisionRequest(decision=decision, reviewer=reviewer, note="because", via=DecisionPath(via))


def _try(approval_id: UUID, request: DecisionRequest) -> Approval | str:
    try:
        return decide(approval_id, request)
    except DecisionRefused as refused:
        return refused.reason


def _reread(approval_id: UUID) -> Approval:
    with system_session() as session:
        approval = find_approval(approval_id, session=session)
    assert approval is not None
    return approval


def test_of_racing_decisions_one_wins_and_the_others_are_told_who(org_id: UUID) -> None:
    reviewers = [f"reviewer{number}@demo.example" for number in range(_RACERS)]
    with system_session() as session:
        for email in reviewers:
            ensure_member(email, "Racer", "reviewer", org_id=org_id, session=session)
    for _ in range(_TRIALS):
        approval_id = add_approval(org_id, add_run(org_id))
        requests = [
            _request(list(Decision)[number % 2], email, ["form", "command_line"][number // 2 % 2])
            for number, email in enumerate(reviewers)
        ]
        with ThreadPoolExecutor(_RACERS) as pool:
            answers = list(pool.map(lambda request, at=approval_id: _try(at, request), requests))

        (winner,) = [answer for answer in answers if isinstance(answer, Approval)]
        losers = [answer for answer in answers if isinstance(answer, str)]
        assert len(losers) == _RACERS - 1
        assert all(f"already {winner.status.value} by {winner.decided_by} at " in loser for loser in losers)
        with org_session(org_id) as session:
            votes = session.execute(
                text("SELECT decision FROM agent_action_votes WHERE approval_id = :id"), {"id": approval_id}
            ).all()
        assert len(votes) == 1


def test_a_refused_decision_changes_nothing(org_id: UUID) -> None:
    approval_id = add_approval(org_id, add_run(org_id), initiator_id="reviewer@demo.example")

    assert "not a member" in str(_try(approval_id, _request(Decision.APPROVE, "stranger@else.example")))
    assert "may not decide" in str(_try(approval_id, _request(Decision.APPROVE)))
    assert _reread(approval_id).status is ApprovalStatus.PENDING


def test_a_reviewer_of_another_organisation_is_a_stranger(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
        ensure_member("boss@other.example", "Boss", "owner", org_id=other, session=session)
    approval_id = add_approval(org_id, add_run(org_id))

    assert "not a member" in str(_try(approval_id, _request(Decision.APPROVE, "boss@other.example")))


def test_a_late_decision_is_refused_with_the_time(org_id: UUID) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    approval_id = add_approval(org_id, add_run(org_id), expires_at=past)

    assert f"expired at {past:%Y-%m-%d %H:%M} UTC" in str(_try(approval_id, _request(Decision.APPROVE)))


def test_an_approval_is_consumed_for_its_digest_alone(org_id: UUID) -> None:
    approval_id = add_approval(org_id, add_run(org_id))
    with org_session(org_id) as session:
        assert not consume(approval_id, "0" * 64, session=session)
    decide(approval_id, _request(Decision.APPROVE))

    with org_session(org_id) as session:
        assert not consume(approval_id, "1" * 64, session=session)
        assert consume(approval_id, "0" * 64, session=session)


def test_a_rejected_approval_is_never_consumed(org_id: UUID) -> None:
    approval_id = add_approval(org_id, add_run(org_id))
    decide(approval_id, _request(Decision.REJECT))

    with org_session(org_id) as session:
        assert not consume(approval_id, "0" * 64, session=session)


def test_an_unknown_approval_is_refused(org_id: UUID) -> None:  # noqa: ARG001 - a database with nothing in it
    with pytest.raises(DecisionRefused, match="no such approval"):
        decide(uuid4(), _request(Decision.APPROVE))
