"""A suspended run that wakes up under other code or rules: a person decides, where the change matters to it."""

from uuid import UUID

import pytest
from prefect.client.schemas.objects import StateType

from maos.plans import Plan
from maos.requests import RunRequest
from tasks.catalogue import action_digest
from tasks.entrypoints import ENTRYPOINTS, Entrypoint
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import ENTRYPOINT, Bench, run_again, step

_FIRST = (step("a", text="a"), step("b", "note_high", text="b", after=("a",)))


def _interrupted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """Run until the gate, and let the run be taken up later by other code: its process ends in between."""
    bench.plan(*_FIRST)
    beside = bench.run_beside()
    wait_for(pending)
    run_id = only_run_id()
    answer_form(run_id, decision="reject", reviewer=REVIEWER, note="not yet")
    assert beside.end().type is StateType.CANCELLED
    rows("UPDATE agent_pending_actions SET status = 'cancelled' RETURNING id")
    monkeypatch.setattr("tasks.pinning.project_digest", lambda: "f" * 64)
    return run_id


def _run_again_beside(run_id: UUID):  # type: ignore[no-untyped-def]
    import threading
    from contextvars import copy_context

    ends: list[object] = []
    thread = threading.Thread(target=copy_context().run, args=(lambda: ends.append(run_again(run_id)),), daemon=True)
    thread.start()

    def end():  # type: ignore[no-untyped-def]
        thread.join(60)
        (state,) = ends
        return state

    return end


def _change_action(monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    def digest(name: str) -> str:
        return "0" * 64 if name == changed else action_digest(name)

    monkeypatch.setattr("tasks.pinning.action_digest", digest)


def _asked() -> str:
    (approval,) = wait_for(lambda: [each for each in pending() if each.kind == "needs_decision"])
    return str(approval.preview)


def _approve(run_id: UUID, choice: str = "") -> None:
    answer_form(run_id, decision=f"approve: {choice}" if choice else "approve", reviewer=REVIEWER)


def _plan(monkeypatch: pytest.MonkeyPatch, *steps: object) -> None:
    plan = Plan(steps=steps)
    monkeypatch.setitem(ENTRYPOINTS, ENTRYPOINT, Entrypoint(RunRequest, lambda _r: plan, "run-workflow/run-workflow"))


def test_a_change_that_touches_nothing_of_the_run_does_not_stop_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _interrupted(bench, monkeypatch)
    _change_action(monkeypatch, "note_critical")
    end = _run_again_beside(run_id)

    wait_for(lambda: [each for each in pending() if each.step_id == "b"])
    _approve(run_id)

    assert end().is_completed()
    assert rows("SELECT count(*) FROM agent_pending_actions WHERE kind = 'needs_decision'") == [(0,)]
    assert rows("SELECT pins->>'project' FROM orchestrator_runs") == [("f" * 64,)]


def test_a_change_of_an_action_that_is_done_does_not_stop_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = _interrupted(bench, monkeypatch)
    _change_action(monkeypatch, "note_low")
    end = _run_again_beside(run_id)

    wait_for(lambda: [each for each in pending() if each.step_id == "b"])
    _approve(run_id)

    assert end().is_completed()


def test_a_changed_action_stops_the_run_until_a_person_lets_it_go_on_as_planned(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _interrupted(bench, monkeypatch)
    _change_action(monkeypatch, "note_high")
    end = _run_again_beside(run_id)

    assert "action note_high" in _asked()
    assert wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE status = 'paused'"))
    _approve(run_id, choice="pinned")
    wait_for(lambda: [each for each in pending() if each.step_id == "b"])
    _approve(run_id)

    assert end().is_completed()
    assert bench.effects == ["a", "b"]
    assert rows("SELECT count(*) FROM plan_revisions") == [(1,)]


def test_a_plan_that_would_be_made_otherwise_now_can_be_rebuilt_for_what_is_not_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _interrupted(bench, monkeypatch)
    _plan(
        monkeypatch, step("a", text="other"), step("b", "note_high", text="better", after=("a",)), step("c", text="c")
    )
    end = _run_again_beside(run_id)

    shown = _asked()
    assert "step 'b' has changed: parameters" in shown
    assert "step 'c' is new: note_low" in shown
    assert "step 'a'" not in shown
    _approve(run_id, choice="rebuild")
    wait_for(lambda: [each for each in pending() if each.step_id == "b"])
    _approve(run_id)

    assert end().is_completed()
    assert sorted(bench.effects) == ["a", "better", "c"]
    assert rows("SELECT revision, jsonb_array_length(plan->'steps') FROM plan_revisions ORDER BY 1") == [(1, 2), (2, 3)]


def test_going_on_can_be_rejected_and_the_run_is_cancelled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = _interrupted(bench, monkeypatch)
    _change_action(monkeypatch, "note_high")
    end = _run_again_beside(run_id)
    _asked()

    answer_form(run_id, decision="reject", reviewer=REVIEWER, note="the old one was better")

    assert end().type is StateType.CANCELLED
    assert rows("SELECT error_summary FROM orchestrator_runs") == [
        (f"the run woke up under other code or rules: {REVIEWER} cancelled it: the old one was better",)
    ]


def test_a_plan_that_cannot_be_made_now_cannot_be_rebuilt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = _interrupted(bench, monkeypatch)
    _plan(monkeypatch, step("a", "gone"))
    end = _run_again_beside(run_id)

    assert "is not possible" in _asked()
    _approve(run_id, choice="rebuild")
    refusal = wait_for(lambda: rows("SELECT gate_refusal FROM orchestrator_runs WHERE gate_refusal IS NOT NULL"))
    assert "approving takes a choice: pinned" in refusal[0][0]
    answer_form(run_id, decision="reject", reviewer=REVIEWER, note="then not")
    assert end().type is StateType.CANCELLED


def test_a_changed_rule_stops_the_run_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = _interrupted(bench, monkeypatch)
    monkeypatch.setattr("tasks.pinning.risk_digest", lambda names: "1" * 64 if "note_high" in names else "2" * 64)
    end = _run_again_beside(run_id)

    assert "rules of note_high" in _asked()
    answer_form(run_id, decision="reject", reviewer=REVIEWER, note="then not")
    assert end().type is StateType.CANCELLED
