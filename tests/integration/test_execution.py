"""The executor against a real Prefect server and a real database."""

import multiprocessing
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from sqlalchemy import text

from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import DecisionRequest
from sql.session import system_session
from tasks.approvals import decide
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import Bench, run_again, step


def _approve(approval: Approval) -> None:
    decide(
        approval.id,
        DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.COMMAND_LINE),
    )


def test_a_plan_runs_each_step_once_in_order_of_its_dependencies(bench: Bench) -> None:
    bench.plan(
        step("a", text="a"),
        step("b", text="b", after=("a",)),
        step("c", text="c", after=("a",)),
        step("d", text="d", after=("b", "c")),
    )

    state = bench.run()

    assert state.is_completed()
    assert bench.effects[0] == "a"
    assert sorted(bench.effects[1:3]) == ["b", "c"]
    assert bench.effects[3:] == ["d"]
    assert rows("SELECT status, result FROM orchestrator_runs") == [("completed", {"d": {"text": "d"}})]
    assert rows("SELECT event, step_id FROM agent_action_audit_log ORDER BY sequence")[0] == ("run.opened", None)
    assert sorted(rows("SELECT step_id, attempt, status FROM agent_invocations")) == [
        (name, 1, "completed") for name in "abcd"
    ]


def test_steps_are_task_runs_with_their_dependencies_as_edges(bench: Bench) -> None:
    bench.plan(step("a", text="a"), step("b", text="b", after=("a",)))
    bench.run()

    def recorded() -> dict[str, Any]:
        with get_client(sync_client=True) as client:
            from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

            found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[only_run_id()])))
        by_name = {task_run.name: task_run for task_run in found}
        return by_name if {"a", "b"} <= by_name.keys() else {}

    task_runs = wait_for(recorded)

    assert "engine:internal_service" in task_runs["a"].tags
    assert [upstream.id for upstream in task_runs["b"].task_inputs["wait_for"]] == [task_runs["a"].id]


def test_ready_steps_run_side_by_side(bench: Bench) -> None:
    meet = multiprocessing.Barrier(3, timeout=20)
    bench.before = lambda _step: meet.wait()
    bench.plan(step("a", text="a"), step("b", text="b"), step("c", text="c"))

    assert bench.run().is_completed()


def test_a_failing_step_fails_the_run_and_nothing_after_it_starts(bench: Bench) -> None:
    def fail(name: str) -> None:
        if name == "b":
            raise OSError("disk full at /var/secret")

    bench.before = fail
    bench.plan(step("a", text="a"), step("b", text="b", after=("a",)), step("c", text="c", after=("b",)))

    state = bench.run()

    assert state.type is StateType.FAILED
    assert bench.effects == ["a"]
    assert rows("SELECT status, error_summary FROM orchestrator_runs") == [
        ("failed", "step 'b' failed: the service failed (OSError)")
    ]
    assert rows("SELECT error_detail FROM invocation_vendor_details") == [("disk full at /var/secret",)]


def test_a_failed_run_that_is_retried_does_only_what_is_not_done(bench: Bench) -> None:
    broken = True

    def fail(name: str) -> None:
        if name == "b" and broken:
            raise OSError("disk full")

    bench.before = fail
    bench.plan(step("a", text="a"), step("b", text="b", after=("a",)))
    assert bench.run().is_failed()
    broken = False

    state = run_again(only_run_id())

    assert state.is_completed()
    assert bench.effects == ["a", "b"]
    assert sorted(rows("SELECT step_id, attempt, status FROM agent_invocations")) == [
        ("a", 1, "completed"),
        ("b", 1, "failed"),
        ("b", 2, "completed"),
    ]
    assert rows("SELECT status, attempt FROM orchestrator_runs") == [("completed", 2)]


def test_a_completed_run_that_is_run_again_does_nothing(bench: Bench) -> None:
    bench.plan(step("a", text="a"))
    bench.run()
    before = rows("SELECT sequence, event FROM agent_action_audit_log ORDER BY sequence")

    assert run_again(only_run_id()).is_completed()
    assert bench.effects == ["a"]
    assert rows("SELECT sequence, event FROM agent_action_audit_log ORDER BY sequence") == before


def test_a_decision_in_the_form_lets_the_step_run(bench: Bench) -> None:
    bench.plan(step("a", text="a"), step("b", "note_high", text="b", after=("a",)), step("c", text="c"))
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER, note="fine")

    assert beside.end().is_completed()
    assert sorted(bench.effects) == ["a", "b", "c"]
    assert rows("SELECT status, decided_by, decided_via, identity_verified, note FROM agent_pending_actions") == [
        ("approved", REVIEWER, "form", False, "fine")
    ]


def test_a_refused_answer_asks_again_with_the_reason(bench: Bench) -> None:
    bench.plan(step("a", "note_high", text="a"))
    beside = bench.run_beside()
    wait_for(pending)
    run_id = only_run_id()

    answer_form(run_id, decision="approve", reviewer="author@demo.example")
    reason = wait_for(lambda: rows("SELECT gate_refusal FROM orchestrator_runs WHERE gate_round = 2"))
    answer_form(run_id, decision="approve", reviewer=REVIEWER)

    assert "may not decide" in reason[0][0] or "deciding takes" in reason[0][0]
    assert beside.end().is_completed()


def test_a_rejection_ends_the_run_as_cancelled_and_says_who(bench: Bench) -> None:
    bench.plan(step("a", "note_high", text="a"), step("b", text="b", after=("a",)))
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="not today")

    assert beside.end().type is StateType.CANCELLED
    assert bench.effects == []
    assert rows("SELECT status, error_summary FROM orchestrator_runs") == [
        ("cancelled", f"step 'a' was rejected by {REVIEWER}: not today")
    ]


def test_several_open_actions_are_decided_in_one_form(bench: Bench) -> None:
    bench.plan(step("a", "note_high", text="a"), step("b", "note_critical", text="b"))
    beside = bench.run_beside()
    wait_for(lambda: len(pending()) == 2)

    answer_form(
        only_run_id(),
        decision="approve",
        reviewer=REVIEWER,
        note="b is too much",
        other_decisions=[{"step": "b", "decision": "reject"}],
    )

    assert beside.end().type is StateType.CANCELLED
    assert sorted(rows("SELECT step_id, status FROM agent_pending_actions")) == [("a", "approved"), ("b", "rejected")]


@pytest.mark.parametrize(
    "mutation",
    [
        """UPDATE agent_invocations SET output = '{"text": "forged"}' WHERE step_id = 'a'""",
        """UPDATE orchestrator_runs SET plan = jsonb_set(plan, '{steps,1,parameters,text}', '"forged"')""",
        """UPDATE orchestrator_runs SET plan = jsonb_set(plan, '{steps,1,agent}', '"somebody"')""",
        """UPDATE agent_pending_actions SET digest = repeat('0', 64)""",
        """UPDATE agent_pending_actions SET expires_at = now()""",
    ],
)
def test_what_was_approved_and_then_changed_is_not_carried_out(bench: Bench, mutation: str) -> None:
    bench.plan(step("a", text="a"), step("b", "note_high", text="b", after=("a",)))
    beside = bench.run_beside()
    (approval,) = wait_for(pending)
    _approve(approval)
    with system_session() as session:
        session.execute(text(mutation))

    answer_form(only_run_id(), decision="already recorded", reviewer=REVIEWER)
    (asked_again,) = wait_for(pending)

    assert bench.effects == ["a"]
    assert asked_again.id != approval.id
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="it changed")
    assert beside.end().type is StateType.CANCELLED
    assert bench.effects == ["a"]


def test_bad_input_leaves_no_row(bench: Bench) -> None:
    bench.plan(step("a", text="a"))

    for fields in ({"org": "nowhere"}, {"initiator": "stranger@else.example"}, {"autonomy": "autonomous"}):
        state = bench.run(**fields)

        assert state.is_failed()
        assert "is not accepted; allowed: " in str(state.message)
    assert rows("SELECT count(*) FROM orchestrator_runs") == [(0,)]
    assert bench.effects == []
