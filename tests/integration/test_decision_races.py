"""Of any number of people, paths and timers at one approval, exactly one decides it.

The proof at its full size is `make prove-approvals`.
"""

import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from statistics import median
from time import monotonic
from uuid import UUID

import pytest

from maos.approval_policy import ApprovalPolicy, Group, Stage
from maos.approvals import Approval, Decision, DecisionPath
from maos.canonical import digest_of
from maos.decisions import DecisionRequest
from maos.errors import DecisionRefused, MaosError
from maos.statuses import ApprovalStatus
from sql.approvals import consume, find_approval, lock_due
from sql.organizations import ensure_member
from sql.session import org_session, system_session
from tasks.approvals import decide, decide_alike, identify_for
from tasks.expiry import expire
from tests.gates import rows
from tests.rows import add_approval, add_run

# How many trials of each: `make prove-approvals` has as many as the promise says.
_FULL = bool(os.environ.get("MAOS_PROVE_APPROVALS"))
_DECIDERS = 50
_TRIALS = 200 if _FULL else 6
_INTERLEAVINGS = 500 if _FULL else 25
_TIMERS = 1000 if _FULL else 100
_PATHS = (DecisionPath.FORM, DecisionPath.COMMAND_LINE, DecisionPath.BULK)


@pytest.fixture
def deciders(org_id: UUID) -> list[str]:
    emails = [f"reviewer{number}@demo.example" for number in range(_DECIDERS)]
    with system_session() as session:
        for email in emails:
            ensure_member(email, "Racer", "reviewer", org_id=org_id, session=session)
    return emails


def _request(decision: Decision, reviewer: str, path: DecisionPath = DecisionPath.FORM) -> DecisionRequest:
    return DecisionRequest(decision=decision, reviewer=reviewer, note="because", via=path)


def _try(approval_id: UUID, request: DecisionRequest) -> Approval | str:
    try:
        answer = _in_bulk(approval_id, request) if request.via is DecisionPath.BULK else decide(approval_id, request)
    except DecisionRefused as refused:
        return refused.reason
    return answer if isinstance(answer, Approval) else str(answer).removeprefix(f"approval {approval_id}: ")


def _in_bulk(approval_id: UUID, request: DecisionRequest) -> Approval | MaosError:
    with system_session() as session:
        approval = find_approval(approval_id, session=session)
    assert approval is not None
    identity = identify_for({approval_id: request}, org_id=approval.org_id)
    return decide_alike({approval_id: approval.digest}, request, identity=identity)[approval_id]


def _status(approval_id: UUID) -> ApprovalStatus:
    with system_session() as session:
        approval = find_approval(approval_id, session=session)
    assert approval is not None
    return approval.status


def _endings(approval_id: UUID) -> list[str]:
    """Return how often the audit log says that an approval was ended, and how."""
    found = rows(
        f"SELECT event FROM agent_action_audit_log WHERE approval_id = '{approval_id}' "
        "AND event IN ('approval.approved', 'approval.rejected', 'approval.expired')"
    )
    return [str(event) for (event,) in found]


def test_of_fifty_deciders_on_mixed_paths_exactly_one_is_accepted(org_id: UUID, deciders: list[str]) -> None:
    run_id = add_run(org_id)
    with ThreadPoolExecutor(16) as pool:
        for trial in range(_TRIALS):
            approval_id = add_approval(org_id, run_id, step_id=f"act{trial}")
            requests = [
                _request((Decision.APPROVE, Decision.REJECT)[number % 2], email, _PATHS[number % 3])
                for number, email in enumerate(deciders)
            ]
            random.Random(trial).shuffle(requests)  # noqa: S311 - of a test
            answers = list(pool.map(lambda request, at=approval_id: _try(at, request), requests))

            (winner,) = [answer for answer in answers if isinstance(answer, Approval)]
            losers = [answer for answer in answers if isinstance(answer, str)]
            assert all(f"already {winner.status.value} by {winner.decided_by} at " in loser for loser in losers)
            assert _endings(approval_id) == [f"approval.{winner.status.value}"]
    assert rows("SELECT count(*) FROM agent_action_votes") == [(_TRIALS,)]


def test_a_quorum_under_a_race_is_counted_exactly(org_id: UUID, deciders: list[str]) -> None:
    policy = ApprovalPolicy(stages=(Stage(groups=(Group(needed=7),)),)).model_dump(mode="json")
    with ThreadPoolExecutor(16) as pool:
        for trial in range(max(3, _TRIALS // 10)):
            approval_id = add_approval(org_id, add_run(org_id), step_id=f"act{trial}", policy=policy)
            requests = [_request(Decision.APPROVE, email) for email in deciders[:16]]
            answers = list(pool.map(lambda request, at=approval_id: _try(at, request), requests))

            counted = [answer for answer in answers if isinstance(answer, Approval)]
            assert Counter(answer.status for answer in counted) == {
                ApprovalStatus.PENDING: 6,
                ApprovalStatus.APPROVED: 1,
            }
            assert _endings(approval_id) == ["approval.approved"]


def test_one_person_has_one_vote_however_often_they_try_at_once(org_id: UUID, deciders: list[str]) -> None:
    policy = ApprovalPolicy(stages=(Stage(groups=(Group(needed=2),)),)).model_dump(mode="json")
    approval_id = add_approval(org_id, add_run(org_id), policy=policy)
    with ThreadPoolExecutor(16) as pool:
        requests = [_request(Decision.APPROVE, deciders[0])] * 16
        answers = list(pool.map(lambda request: _try(approval_id, request), requests))

    refused = [answer for answer in answers if isinstance(answer, str)]
    assert len(refused) == 15
    assert all("has voted on this already (rule: one vote a person)" in answer for answer in refused)
    assert _status(approval_id) is ApprovalStatus.PENDING


def test_ten_gates_of_a_run_decided_in_any_order_are_never_mixed_up(org_id: UUID, deciders: list[str]) -> None:
    for seed in range(_INTERLEAVINGS):
        choose = random.Random(seed)  # noqa: S311 - of a test
        run_id = add_run(org_id)
        wanted: dict[UUID, tuple[str, Decision, str]] = {}
        for number in range(10):
            payload = {"step": f"gate{number}", "parameters": {"seed": seed}}
            gate = add_approval(org_id, run_id, step_id=f"gate{number}", payload=payload, digest=digest_of(payload))
            decision = choose.choice((Decision.APPROVE, Decision.REJECT))
            wanted[gate] = (f"gate{number}", decision, choose.choice(deciders))
        order = choose.sample(sorted(wanted), k=10)
        with ThreadPoolExecutor(choose.randint(1, 10)) as pool:
            answers = list(pool.map(lambda at, of=wanted: _try(at, _request(of[at][1], of[at][2])), order))

        assert not [answer for answer in answers if isinstance(answer, str)]
        with org_session(org_id) as session:
            for gate, (step, decision, who) in wanted.items():
                decided = find_approval(gate, session=session)
                assert decided is not None
                approves = decision is Decision.APPROVE
                status = ApprovalStatus.APPROVED if approves else ApprovalStatus.REJECTED
                assert (decided.step_id, decided.status, decided.decided_by) == (step, status, who)
                # Only what was approved runs, once, and only as what it was approved for.
                others = {digest_of({"step": f"gate{n}", "parameters": {"seed": seed}}) for n in range(10)}
                assert not any(consume(gate, other, session=session) for other in others - {decided.digest})
                assert consume(gate, decided.digest, session=session) is approves


def _seconds_of_a_decision(org_id: UUID, decider: str) -> float:
    run_id, lasted = add_run(org_id), []
    for number in range(5):
        approval_id = add_approval(org_id, run_id, step_id=f"act{number}")
        begun = monotonic()
        decide(approval_id, _request(Decision.APPROVE, decider))
        lasted.append(monotonic() - begun)
    return median(lasted)


def test_of_a_timer_and_a_decision_at_the_same_moment_exactly_one_wins(org_id: UUID, deciders: list[str]) -> None:
    run_id, won = add_run(org_id), Counter[str]()

    def settle_due() -> None:
        with org_session(org_id) as session:
            for due in lock_due(run_id, limit=10, session=session):
                expire(due, session=session)

    lasts = _seconds_of_a_decision(org_id, deciders[0])
    with ThreadPoolExecutor(4) as pool:
        for trial in range(_TIMERS):
            # From before any decision can be there to after most are, on a machine of any speed.
            rest = lasts * random.Random(trial).uniform(0.2, 6)  # noqa: S311 - of a test
            ends = datetime.now(UTC) + timedelta(seconds=rest)
            approval_id = add_approval(org_id, run_id, step_id=f"act{trial}", expires_at=ends)
            request = _request(Decision.APPROVE, deciders[0])
            tries = [pool.submit(_try, approval_id, request), *(pool.submit(settle_due) for _ in range(3))]
            answer = tries[0].result()
            for each in tries[1:]:
                each.result()
            while _status(approval_id) is ApprovalStatus.PENDING:
                settle_due()

            status = _status(approval_id)
            assert status is (ApprovalStatus.APPROVED if isinstance(answer, Approval) else ApprovalStatus.EXPIRED)
            assert _endings(approval_id) == [f"approval.{status.value}"]
            # A late timer changes nothing.
            settle_due()
            assert _status(approval_id) is status
            won[status.value] += 1
    assert set(won) == {"approved", "expired"}, won
