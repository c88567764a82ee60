"""What a plan says of failures, time, rejections and further steps, carried out by the real executor."""

import os
import time
from pathlib import Path

import pytest
from prefect.client.schemas.objects import StateType
from pydantic import BaseModel

from maos.actions import StepOutcome
from maos.effects import Effect, EffectKind
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.plans import OnFailure, OnReject, PlanStep, RetryPolicy
from maos.risk import RiskLevel
from tasks.services.registry import ServiceCall, internal_service
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import Bench, NoteParameters, run_again, step


def _fail(bench: Bench, step_id: str, kind: FailureKind, *, times: int = 1000) -> None:
    """Let a step fail so many times; counted in a file, because each try has a process of its own."""
    tally = bench.carried_out.with_name(f"tally-{step_id}")
    tally.touch()

    def before(name: str) -> None:
        if name == step_id:
            with tally.open("a") as file:
                file.write(".")
            if len(tally.read_text()) <= times:
                raise EngineFailure(kind, "as told")

    bench.before = before


def _attempts(step_id: str) -> list[tuple[str, str | None]]:
    found = rows(f"SELECT status, error_kind FROM agent_invocations WHERE step_id = '{step_id}' ORDER BY attempt")
    return [(status, kind) for status, kind in found]


def test_a_step_is_tried_again_where_that_may_help_and_each_try_is_a_row(bench: Bench) -> None:
    _fail(bench, "a", FailureKind.OVERLOADED, times=2)
    bench.plan(step("a", text="a"))

    assert bench.run().is_completed()
    assert _attempts("a") == [("failed", "overloaded"), ("failed", "overloaded"), ("completed", None)]


def test_tries_end_where_the_policy_says(bench: Bench) -> None:
    _fail(bench, "a", FailureKind.OVERLOADED)
    bench.plan(step("a", text="a").model_copy(update={"retry": RetryPolicy(attempts=2, first_delay_seconds=0)}))

    assert bench.run().is_failed()
    assert _attempts("a") == [("failed", "overloaded")] * 2
    assert rows("SELECT error_summary FROM orchestrator_runs") == [
        ("step 'a' failed after 2 tries: the engine did not deliver (overloaded)",)
    ]


def test_a_failure_that_promises_nothing_is_not_tried_again(bench: Bench) -> None:
    _fail(bench, "a", FailureKind.BAD_REQUEST)
    bench.plan(step("a", text="a"))

    assert bench.run().is_failed()
    assert _attempts("a") == [("failed", "bad_request")]


def test_a_step_that_hangs_is_cut_and_recorded_as_timed_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.internal_service._GRACE_SECONDS", 0.1)
    alive = bench.carried_out.with_name("alive")

    def hang(_name: str) -> None:
        alive.write_text(str(os.getpid()))
        while True:
            time.sleep(0.01)

    bench.before = hang
    once = {"timeout_seconds": 0.3, "retry": RetryPolicy(attempts=1)}
    bench.plan(step("a", text="a").model_copy(update=once))

    state = bench.run()

    assert state.is_failed()
    assert _attempts("a") == [("failed", "timed_out")]
    assert not Path(f"/proc/{alive.read_text()}").exists()


@pytest.mark.parametrize(
    ("policy", "state", "done", "skipped"),
    [
        (OnFailure.FAIL, StateType.FAILED, [], []),
        (OnFailure.SKIP, StateType.COMPLETED, ["c"], ["b"]),
        (OnFailure.CONTINUE, StateType.COMPLETED, ["b", "c"], []),
    ],
)
def test_what_becomes_of_the_others_when_a_step_fails(
    bench: Bench, policy: OnFailure, state: StateType, done: list[str], skipped: list[str]
) -> None:
    _fail(bench, "a", FailureKind.BAD_REQUEST)
    failing = step("a", text="a").model_copy(update={"on_failure": policy})
    bench.plan(failing, step("b", text="b", after=("a",)), step("c", text="c").model_copy(update={"after": ("a",)}))
    if policy is OnFailure.SKIP:
        # Beside it, not behind it.
        bench.plan(failing, step("b", text="b", after=("a",)), step("c", text="c"))

    assert bench.run().type is state
    assert sorted(bench.effects) == done
    assert [name for (name,) in rows("SELECT step_id FROM agent_invocations WHERE status = 'skipped'")] == skipped


def test_a_run_that_lost_a_branch_says_so_although_it_completed(bench: Bench) -> None:
    _fail(bench, "a", FailureKind.BAD_REQUEST)
    bench.plan(step("a", text="a").model_copy(update={"on_failure": OnFailure.SKIP}), step("b", text="b", after=("a",)))

    assert bench.run().is_failed()
    assert rows("SELECT status, error_summary FROM orchestrator_runs") == [
        (
            "failed",
            "step 'a' failed: the engine did not deliver (bad request); step 'b' was skipped: it needs step 'a'",
        )
    ]


def test_a_rejected_step_may_be_skipped_with_what_needs_it(bench: Bench) -> None:
    asked = step("a", "note_high", text="a").model_copy(update={"on_reject": OnReject.SKIP})
    bench.plan(asked, step("b", text="b", after=("a",)), step("c", text="c"))
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="not today")

    assert beside.end().is_completed()
    assert bench.effects == ["c"]
    assert rows("SELECT step_id FROM agent_invocations WHERE status = 'skipped' ORDER BY step_id") == [("a",), ("b",)]


def test_a_checkpoint_is_only_a_decision(bench: Bench) -> None:
    bench.plan(
        step("a", text="a"),
        PlanStep(
            id="look",
            agent="clerk",
            engine="internal_service",
            action="checkpoint",
            parameters={"question": "Is {{ noted.text }} right?"},
            inputs={"noted": "a"},
        ),
        step("b", text="b", after=("look",)),
    )
    beside = bench.run_beside(autonomy="semi_autonomous")
    (asked,) = wait_for(pending)

    assert "Is a right?" in asked.preview
    assert bench.effects == ["a"]
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert beside.end().is_completed()
    assert bench.effects == ["a", "b"]


def test_what_a_step_reads_is_checked_before_it_runs(bench: Bench) -> None:
    missing = step("b", text="b").model_copy(update={"inputs": {"x": "a.nowhere"}})
    bench.plan(step("a", text="a"), missing)

    assert bench.run().is_failed()
    assert rows("SELECT error_summary FROM orchestrator_runs") == [
        ("step 'b' failed: input 'a.nowhere': the outcome has no 'nowhere'",)
    ]
    assert _attempts("b") == [("failed", "inputs")]


def test_no_more_steps_run_at_once_than_the_request_allows(bench: Bench) -> None:
    most_at_once = bench.watch_overlap(20)
    bench.plan(*(step(f"s{number}", text=f"s{number}") for number in range(6)))

    assert bench.run(parallelism=2).is_completed()
    assert most_at_once() == 2


class _Nothing(BaseModel):
    """No parameters."""


def _register_proposer(proposed: list[dict[str, object]], *, may: bool = True) -> None:
    @internal_service(action="propose", risk=RiskLevel.LOW, title="Propose.", parameters=_Nothing, proposes_steps=may)
    def propose(_call: ServiceCall[_Nothing]) -> StepOutcome:
        return StepOutcome(output={}, summary="Proposed.", proposed_steps=tuple(proposed))


def test_an_outcome_may_add_steps_and_every_revision_is_kept(bench: Bench) -> None:
    more = step("b", text="b").model_copy(update={"after": ("a",)}).model_dump(mode="json")
    _register_proposer([more])
    bench.plan(step("a", "propose"))

    assert bench.run().is_completed()
    assert bench.effects == ["b"]
    assert rows("SELECT revision, proposed_by, jsonb_array_length(plan->'steps') FROM plan_revisions ORDER BY 1") == [
        (1, None, 1),
        (2, "a", 2),
    ]
    assert ("plan.revised",) in rows("SELECT event FROM agent_action_audit_log")


@pytest.mark.parametrize(
    ("proposed", "may", "reason"),
    [
        ([step("a", text="again").model_dump(mode="json")], True, "step 'a' stands 2 times"),
        ([step("b", "nonsense").model_dump(mode="json")], True, "unknown action 'nonsense'"),
        ([{"id": "b"}], True, "proposed step 1: agent: Field required"),
        ([step("b", text="b").model_dump(mode="json")], False, "unusable output"),
    ],
)
def test_proposed_steps_that_break_a_rule_fail_the_step_that_proposed_them(
    bench: Bench, proposed: list[dict[str, object]], may: bool, reason: str
) -> None:
    _register_proposer(proposed, may=may)
    bench.plan(step("a", "propose"))

    assert bench.run().is_failed()
    ((summary,),) = rows("SELECT error_summary FROM orchestrator_runs")
    assert reason in summary
    assert rows("SELECT count(*) FROM plan_revisions") == [(1,)]
    assert bench.effects == []


def test_added_steps_do_not_void_an_approval_that_was_given_before(bench: Bench) -> None:
    more = step("c", text="c").model_dump(mode="json")
    _register_proposer([more])
    second = step("b", "propose").model_copy(update={"after": ("a",)})
    bench.plan(step("a", "note_high", text="a"), step("d", "note_high", text="d"), second)
    beside = bench.run_beside()
    wait_for(lambda: len(pending()) == 2)

    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(2,)]


def _register_effect(bench: Bench, kind: FailureKind, *, fails: int) -> Path:
    """Register an effect that happens each time, and whose end is told wrongly so many times."""
    delivered = bench.carried_out.with_name("delivered")
    delivered.touch()

    @internal_service(
        action="deliver",
        risk=RiskLevel.LOW,
        title="Deliver.",
        parameters=NoteParameters,
        effect=Effect(kind=EffectKind.WEBHOOK),
        confirmed=lambda _call: StepOutcome(output={"text": "confirmed"}, summary="Confirmed."),
    )
    def deliver(_call: ServiceCall[NoteParameters]) -> StepOutcome:
        with delivered.open("a") as file:
            file.write(".")
        if len(delivered.read_text()) <= fails:
            raise EngineFailure(kind, "as told")
        return StepOutcome(output={"text": "delivered"}, summary="Delivered.")

    return delivered


def test_an_effect_whose_fate_is_unknown_is_never_repeated_by_itself(bench: Bench) -> None:
    delivered = _register_effect(bench, FailureKind.INTERRUPTED, fails=1)
    bench.plan(step("a", "deliver"), step("b", text="b", after=("a",)))
    beside = bench.run_beside()
    (asked,) = wait_for(pending)

    assert (asked.kind, delivered.read_text()) == ("in_doubt", ".")
    assert _attempts("a") == [("in_doubt", None)]
    assert rows("SELECT status, intentions FROM effects") == [("in_doubt", 1)]
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    refusal = wait_for(lambda: rows("SELECT gate_refusal FROM orchestrator_runs WHERE gate_round = 2"))
    assert "approving takes a choice: again or done" in refusal[0][0]
    answer_form(only_run_id(), decision="approve: done", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert delivered.read_text() == "."
    assert rows("SELECT status, confirmed_by FROM effects") == [("done", REVIEWER)]
    assert bench.effects == ["b"]


def test_a_person_may_have_an_effect_in_doubt_done_again(bench: Bench) -> None:
    delivered = _register_effect(bench, FailureKind.TIMED_OUT, fails=2)
    bench.plan(step("a", "deliver"))
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(only_run_id(), decision="approve: again", reviewer=REVIEWER)
    # In doubt once more: what was said of the first doubt says nothing about this one.
    wait_for(lambda: delivered.read_text() == ".." and pending())
    answer_form(only_run_id(), decision="approve: again", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert delivered.read_text() == "..."
    assert rows("SELECT status, intentions FROM effects") == [("done", 3)]
    assert [status for status, _ in _attempts("a")] == ["in_doubt", "in_doubt", "completed"]


def test_a_rejected_doubt_ends_the_run(bench: Bench) -> None:
    delivered = _register_effect(bench, FailureKind.INTERRUPTED, fails=1)
    bench.plan(step("a", "deliver"))
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="neither")

    assert beside.end().type is StateType.CANCELLED
    assert delivered.read_text() == "."
    assert rows("SELECT status FROM effects") == [("in_doubt",)]


def test_an_effect_that_certainly_did_not_happen_is_tried_again(bench: Bench) -> None:
    _register_effect(bench, FailureKind.UNREACHABLE, fails=1)
    bench.plan(step("a", "deliver"))

    assert bench.run().is_completed()
    assert [status for status, _ in _attempts("a")] == ["failed", "completed"]
    assert rows("SELECT status, intentions FROM effects") == [("done", 2)]


def test_a_retried_run_tries_a_failed_step_afresh(bench: Bench) -> None:
    _fail(bench, "a", FailureKind.OVERLOADED, times=3)
    bench.plan(step("a", text="a"))
    assert bench.run().is_failed()

    assert run_again(only_run_id()).is_completed()
    assert [status for status, _ in _attempts("a")] == ["failed", "failed", "failed", "completed"]
