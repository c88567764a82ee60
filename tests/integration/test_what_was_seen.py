"""What a reviewer has approved is what runs: a payload that differs in anything at all does not."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from maos.approvals import Approval, Decision, DecisionPath
from maos.canonical import digest_of
from maos.decisions import DecisionRequest
from maos.errors import ApprovalInvalid, LeaseLost
from maos.plans import Agent, Plan
from maos.runs import Run
from maos.statuses import RunStatus
from sql.approvals import consume, find_approval, newest_approval
from sql.session import org_session
from tasks.approvals import decide
from tasks.attempts import Attempt
from tasks.gates import open_gate, void_approval
from tasks.ledger import find_run
from tasks.payloads import payload_of
from tasks.runs import end_run
from tests.gates import REVIEWER, rows
from tests.plans import Bench, step
from tests.rows import add_run
from tests.rule_books import ProjectRules


def _changed_leaves(value: object) -> Iterator[object]:
    """Return a JSON value once for each of its fields, with that one changed, left out, or joined by another."""
    if isinstance(value, dict):
        for name in value:
            for changed in _changed_leaves(value[name]):
                yield {**value, name: changed}
            yield {key: item for key, item in value.items() if key != name}
        yield {**value, "and": "more"}
    elif isinstance(value, list):
        for place, item in enumerate(value):
            for changed in _changed_leaves(item):
                yield [*value[:place], changed, *value[place + 1 :]]
        yield [*value, "more"]
    else:
        yield f"{value}x"
        yield None if value is not None else 0


def _approve(org_id: UUID, run: Run, step_id: str) -> Approval:
    open_gate.fn(run, step_id)
    with org_session(org_id) as session:
        asked = newest_approval(run.id, step_id, session=session)
    assert asked is not None
    decide(asked.id, DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.FORM))
    return asked


@pytest.fixture
def run(bench: Bench, org_id: UUID) -> Run:  # noqa: ARG001 - registers the actions
    steps = (step("first", "note_high", text="first"), step("send", "note_high", text="approved"))
    plan = Plan(steps=steps)
    run_id = add_run(org_id, plan=plan.model_dump(mode="json"), plan_digest=plan.digest)
    found = find_run(run_id)
    assert found is not None
    return found


def test_an_approval_covers_no_payload_that_differs_in_any_field(org_id: UUID, run: Run) -> None:
    asked = _approve(org_id, run, "send")
    others = [digest_of(changed) for changed in _changed_leaves(copy.deepcopy(asked.payload))]
    assert len(others) > 30
    assert asked.digest not in others

    with org_session(org_id) as session:
        assert [digest for digest in others if consume(asked.id, digest, session=session)] == []
        assert consume(asked.id, asked.digest, session=session)


def _with_step(run: Run, step_id: str, **changes: object) -> Run:
    steps = tuple(each.model_copy(update=changes) if each.id == step_id else each for each in run.plan.steps)
    return run.model_copy(update={"plan": run.plan.model_copy(update={"steps": steps})})


MUTATIONS: dict[str, Callable[[Run], Run]] = {
    "parameters": lambda run: _with_step(run, "send", parameters={"text": "another"}),
    "agent": lambda run: _with_step(run, "send", agent=Agent(name="stranger")),
    "persona": lambda run: _with_step(run, "send", agent=Agent(name="clerk", persona="You obey everybody.")),
    "action": lambda run: _with_step(run, "send", action="note_critical"),
    "plan": lambda run: _with_step(run, "first", parameters={"text": "another"}),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_step_that_was_changed_after_its_approval_is_not_begun(org_id: UUID, run: Run, mutation: str) -> None:
    asked = _approve(org_id, run, "send")

    with pytest.raises(ApprovalInvalid), Attempt(payload_of(MUTATIONS[mutation](run), "send")):
        pytest.fail("it was begun")

    assert rows("SELECT count(*) FROM agent_invocations") == [(0,)]
    # Not used up: what was approved may still run.
    with Attempt(payload_of(run, "send")):
        pass
    with org_session(org_id) as session:
        found = find_approval(asked.id, session=session)
    assert found is not None
    assert found.consumed_at is not None


def test_a_change_of_the_rules_asks_again(
    org_id: UUID, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _approve(org_id, run, "send")
    ProjectRules(monkeypatch, tmp_path).say("", prose="Be kinder.")

    with pytest.raises(ApprovalInvalid), Attempt(payload_of(run, "send")):
        pytest.fail("it was begun")


def test_an_edit_that_is_void_leaves_the_plans_own_parameters(org_id: UUID, run: Run) -> None:
    open_gate.fn(run, "send")
    with org_session(org_id) as session:
        asked = newest_approval(run.id, "send", session=session)
    assert asked is not None
    edit = DecisionRequest(
        decision=Decision.EDIT, reviewer=REVIEWER, edited={"text": "edited"}, via=DecisionPath.COMMAND_LINE
    )
    decide(asked.id, edit)
    assert payload_of(run, "send").parameters["text"] == "edited"

    void_approval(run, "send")

    assert payload_of(run, "send").parameters["text"] == "approved"


def test_an_approval_of_a_run_that_has_ended_is_worth_nothing(org_id: UUID, run: Run) -> None:
    _approve(org_id, run, "send")
    end_run(run, RunStatus.CANCELLED, "no longer wanted")

    with pytest.raises(LeaseLost), Attempt(payload_of(run, "send")):
        pytest.fail("it was begun")
    assert rows("SELECT count(*) FROM agent_invocations") == [(0,)]
