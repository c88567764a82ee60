"""Steps that an agent calls: when they run, what its own step waits for, and whose affair their end is."""

import pytest

from maos.autonomy import AutonomyLevel
from maos.errors import FailureKind
from maos.frontier import Move, next_move
from maos.plans import OnFailure, OnReject, PlanStep
from maos.runs import Ledger
from maos.statuses import ApprovalStatus, RunStatus
from tests.runs import ACTIONS, DONE, approval, failure, run_of, step

AGENT = step("agent", retry={"attempts": 1})


def _call(name: str, action: str = "low", *, turn: int = 1, **fields: object) -> PlanStep:
    lenient = {"on_failure": OnFailure.SKIP, "on_reject": OnReject.SKIP, "retry": {"attempts": 1}}
    return step(name, action, called_by={"step": "agent", "turn": turn}, **lenient, **fields)


def _move(*steps: PlanStep, **ledger: object) -> Move:
    return next_move(run_of(*steps), Ledger.model_validate(ledger), ACTIONS, busy=set())


def _starts(move: Move) -> list[str]:
    return [each.id for each in move.start]


def test_the_agent_waits_for_what_it_has_called() -> None:
    move = _move(AGENT, _call("a"), _call("b"), turns={"agent": 1}, finished={"a": DONE})

    assert _starts(move) == ["b"]


@pytest.mark.parametrize(
    "ledger",
    [
        {"finished": {"a": DONE}},
        {"failed": {"a": failure()}},
        {"skipped": {"a": "rejected"}},
    ],
)
def test_the_agent_goes_on_when_all_it_has_called_is_settled(ledger: dict[str, object]) -> None:
    assert _starts(_move(AGENT, _call("a"), turns={"agent": 1}, **ledger)) == ["agent"]


def test_a_call_asks_like_any_step_and_the_run_waits() -> None:
    asking = _move(AGENT, _call("a", "high"), turns={"agent": 1})
    waiting = _move(
        AGENT, _call("a", "high"), turns={"agent": 1}, approvals={"a": approval("a", ApprovalStatus.PENDING)}
    )

    assert [each.id for each in asking.open_gates] == ["a"]
    assert [each.step_id for each in waiting.wait_for] == ["a"]


def test_a_call_of_a_stricter_agent_asks_where_the_run_would_not() -> None:
    move = _move(AGENT, _call("a", autonomy=AutonomyLevel.SUPERVISED), turns={"agent": 1})

    assert [each.id for each in move.open_gates] == ["a"]


def test_no_step_is_freer_than_its_run() -> None:
    run = run_of(step("a", autonomy=AutonomyLevel.AUTONOMOUS), autonomy=AutonomyLevel.SUPERVISED)

    assert [each.id for each in next_move(run, Ledger(), ACTIONS, busy=set()).open_gates] == ["a"]


@pytest.mark.parametrize("status", [ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED])
def test_a_refused_call_is_skipped_and_dooms_nothing(status: ApprovalStatus) -> None:
    refused = {"approvals": {"a": approval("a", status)}, "turns": {"agent": 1}}
    steps = (AGENT, _call("a", "high"), step("after", after=("agent",)))

    assert list(_move(*steps, **refused).skip) == ["a"]
    assert _starts(_move(*steps, **refused, skipped={"a": "rejected"})) == ["agent"]


def test_a_call_of_an_earlier_turn_concerns_nobody_any_more() -> None:
    # As in a new attempt at the run, in which failures and skips of the last one do not count.
    steps = (AGENT, _call("old", turn=1), _call("refused", "high", turn=1), _call("new", turn=3))
    refused = {"refused": approval("refused", ApprovalStatus.REJECTED)}

    assert _starts(_move(*steps, turns={"agent": 3}, approvals=refused)) == ["new"]
    assert _move(*steps, turns={"agent": 3}, approvals=refused).skip == {}


def test_the_end_of_a_call_is_its_agents_to_tell() -> None:
    settled = {"failed": {"a": failure()}, "skipped": {"b": "rejected"}, "turns": {"agent": 2}}
    steps = (AGENT, _call("a", turn=2), _call("b", turn=2))

    done = _move(*steps, **settled, finished={"agent": DONE})
    lost = _move(*steps, turns={"agent": 2}, failed={"agent": failure(FailureKind.LIMIT_REACHED)})

    assert (done.end, done.reason) == (RunStatus.COMPLETED, None)
    assert (lost.end, lost.reason) == (RunStatus.FAILED, "step 'agent' failed: disk full")


def test_the_outcome_of_a_call_is_no_result_of_the_run() -> None:
    assert [each.id for each in run_of(AGENT, _call("a")).plan.last_steps] == ["agent"]


def test_a_held_run_starts_neither_agent_nor_call() -> None:
    run = run_of(AGENT, _call("a"), held_by="ops@demo.example")

    assert next_move(run, Ledger(turns={"agent": 1}), ACTIONS, busy=set()).hold
