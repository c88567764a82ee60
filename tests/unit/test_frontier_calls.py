"""Steps that an agent calls: when they run, what its own step waits for, and whose affair their end is."""

from random import Random

import pytest

from maos.approvals import Approval
from maos.autonomy import AutonomyLevel
from maos.failures import FailureKind
from maos.frontier import Move, next_move
from maos.plans import OnFailure, OnReject, PlanStep
from maos.runs import FailedStep, Ledger
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


@pytest.mark.parametrize("seed", range(150))
def test_whatever_becomes_of_its_calls_an_agent_hears_of_each_once_and_comes_to_its_end(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a world, not a secret
    steps, busy = [AGENT, step("before"), step("after", after=("agent",))], set[str]()
    turns, finished, failed, skipped = dict[str, int](), dict[str, None](), dict[str, FailedStep](), dict[str, str]()
    approvals, heard = dict[str, Approval](), list[str]()
    for _ in range(500):
        ledger = Ledger(turns=turns, finished=finished, failed=failed, skipped=skipped, approvals=approvals)
        move = next_move(run_of(*steps, parallelism=2), ledger, ACTIONS, busy=set(busy))
        if move.end:
            break
        skipped.update(move.skip)
        approvals.update({each.id: approval(each.id, ApprovalStatus.PENDING) for each in move.open_gates})
        for each in move.wait_for:
            status = random.choice([ApprovalStatus.APPROVED, ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED])
            approvals[each.step_id] = approval(each.step_id, status)
        busy |= {each.id for each in move.start}
        if not busy or move.skip or move.open_gates:
            continue
        name = random.choice(sorted(busy))
        busy.remove(name)
        if random.random() < 0.1:
            # Its process dies: nothing is written of what it did.
            continue
        if name != "agent":
            failed_now = name.startswith("call") and random.random() < 0.3
            (failed.update({name: failure()}) if failed_now else finished.update({name: DONE}))
            continue
        turn = turns.get("agent", 0) + random.randint(1, 2)
        heard += [each.id for each in steps if each.called_by and each.called_by.turn == turns.get("agent")]
        settled = finished.keys() | failed.keys() | skipped.keys()
        assert settled >= set(heard)
        if turn > 8:
            finished["agent"] = DONE
            continue
        turns["agent"] = turn
        calls = range(random.randint(0, 3))
        steps += [_call(f"call{turn}_{number}", random.choice(["low", "high"]), turn=turn) for number in calls]

    assert (move.end, move.reason) == (RunStatus.COMPLETED, None)
    assert finished.keys() >= {"agent", "before", "after"}
    assert sorted(heard) == sorted(each.id for each in steps if each.called_by)
