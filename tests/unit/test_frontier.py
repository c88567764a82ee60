from collections.abc import Set

import pytest

from maos.autonomy import AutonomyLevel
from maos.frontier import Move, next_move
from maos.plans import PlanStep
from maos.runs import Ledger, Run
from maos.statuses import ApprovalStatus, RunStatus
from tests.runs import ACTIONS, DONE, approval, run_of, step


def _move(
    run: Run,
    *,
    done: Set[str] = frozenset(),
    busy: Set[str] = frozenset(),
    failed: dict[str, str] | None = None,
    **approvals: ApprovalStatus,
) -> Move:
    ledger = Ledger(
        finished=dict.fromkeys(done, DONE),
        approvals={step: approval(step, status) for step, status in approvals.items()},
    )
    return next_move(run, ledger, ACTIONS, busy=busy, failed=failed or {})


FORK = run_of(step("a"), step("b"), step("gate", "high", ("a",)), step("c", "low", ("b",)))


def _ids(steps: tuple[PlanStep, ...]) -> list[str]:
    return [step.id for step in steps]


def test_everything_that_is_ready_starts_at_once() -> None:
    assert _ids(_move(FORK).start) == ["a", "b"]


def test_a_risky_step_opens_a_gate_while_other_branches_go_on() -> None:
    move = _move(FORK, done={"a", "b"})

    assert _ids(move.open_gates) == ["gate"]
    assert _ids(move.start) == ["c"]


def test_a_run_does_not_wait_for_a_person_while_something_is_under_way() -> None:
    assert _move(FORK, done={"a", "b"}, busy={"c"}, gate=ApprovalStatus.PENDING) == Move()


def test_a_run_waits_when_nothing_else_canrun_of() -> None:
    move = _move(FORK, done={"a", "b", "c"}, gate=ApprovalStatus.PENDING)

    assert [approval.step_id for approval in move.wait_for] == ["gate"]


def test_an_approved_step_starts() -> None:
    assert _ids(_move(FORK, done={"a", "b", "c"}, gate=ApprovalStatus.APPROVED).start) == ["gate"]


def test_a_void_approval_is_asked_anew() -> None:
    assert _ids(_move(FORK, done={"a", "b", "c"}, gate=ApprovalStatus.CANCELLED).open_gates) == ["gate"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ApprovalStatus.REJECTED, "step 'gate' was rejected by reviewer@demo.example: too early"),
        (ApprovalStatus.EXPIRED, "the approval of step 'gate' expired undecided"),
    ],
)
def test_a_refused_step_ends_therun_of(status: ApprovalStatus, reason: str) -> None:
    move = _move(FORK, done={"a", "b", "c"}, gate=status)

    assert move == Move(end=RunStatus.CANCELLED, reason=reason)


def test_a_failed_step_ends_the_run_once_nothing_is_under_way() -> None:
    assert _move(FORK, done={"a"}, busy={"c"}, failed={"b": "disk full"}) == Move()
    assert _move(FORK, done={"a"}, failed={"b": "disk full"}) == Move(
        end=RunStatus.FAILED, reason="step 'b' failed: disk full"
    )


def test_what_goes_wrong_after_the_outcome_is_written_fails_nothing() -> None:
    assert _ids(_move(FORK, done={"a", "b"}, failed={"b": "the picture was not shown"}).start) == ["c"]


def test_a_run_is_completed_when_every_step_is() -> None:
    assert _move(FORK, done={"a", "b", "c", "gate"}).end is RunStatus.COMPLETED


def test_under_supervision_even_a_low_risk_step_is_asked_for() -> None:
    run = run_of(step("a"), autonomy=AutonomyLevel.SUPERVISED)

    assert _ids(_move(run).open_gates) == ["a"]


def test_an_autonomous_run_still_asks_for_what_is_critical() -> None:
    run = run_of(step("a", "high"), step("b", "critical"), autonomy=AutonomyLevel.AUTONOMOUS)
    move = _move(run)

    assert _ids(move.start) == ["a"]
    assert _ids(move.open_gates) == ["b"]
