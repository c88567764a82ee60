"""Runs of a suspended organisation stop before their next step, and go on when it is resumed."""

from collections.abc import Callable
from uuid import UUID

import pytest
from click.testing import CliRunner
from prefect.client.orchestration import get_client

from console.org import org
from maos.approvals import Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.errors import BadInput, OrganizationSuspended
from maos.organizations import OPERATOR, SUSPENSION
from maos.runs import Run
from tasks.approvals import decide
from tasks.attempts import Attempt
from tasks.holds import hold_run, release_run
from tasks.ledger import find_run
from tasks.organizations import resume, runs_to_wake, suspend
from tasks.payloads import payload_of
from tests.gates import REVIEWER, answer_form, only_run_id, rows, wait_for, wait_for_form
from tests.plans import Bench, Beside, step
from tests.rows import add_run

AUTHOR = "author@demo.example"


def _run() -> Run:
    run = find_run(only_run_id())
    assert run
    return run


def _during(bench: Bench, step: str, act: Callable[[], object]) -> Beside:
    """Run the plan; while this step is under way in its own process, act, and then let it end."""
    begun, acted = bench.carried_out.with_name("begun"), bench.carried_out.with_name("acted")

    def before(name: str) -> None:
        if name == step:
            begun.touch()
            wait_for(acted.exists, 120)

    bench.before = before
    beside = bench.run_beside()
    wait_for(begun.exists, 120)
    act()
    acted.touch()
    wait_for(_held, 120)
    return beside


def _suspend(org_id: UUID) -> Callable[[], object]:
    return lambda: suspend(org_id, "unpaid", by=OPERATOR)


def _held() -> bool:
    return bool(rows("SELECT 1 FROM orchestrator_runs WHERE gate_kind = 'hold' AND status = 'paused'"))


def test_a_run_stops_before_its_next_step_and_goes_on_when_the_organisation_is_resumed(
    bench: Bench, org_id: UUID, prefect_api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    bench.plan(step("a", text="a"), step("b", after=("a",), text="b"))
    beside = _during(bench, "a", _suspend(org_id))
    stopped = list(bench.effects)

    done = CliRunner().invoke(org, ["resume", "demo"], catch_exceptions=False)

    assert done.output == "organisation demo: resumed by operator; 1 of 1 runs go on\n"
    assert beside.end().is_completed()
    assert (stopped, bench.effects) == (["a"], ["a", "b"])


def test_an_approval_makes_nothing_run_until_the_organisation_is_resumed(bench: Bench, org_id: UUID) -> None:
    bench.plan(step("a", "note_high", text="a"))
    beside = bench.run_beside()
    approval = wait_for_form()
    suspend(org_id, "unpaid", by=OPERATOR)

    decide(approval.id, DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.COMMAND_LINE))
    answer_form(only_run_id(), decision="already recorded", reviewer=REVIEWER)
    wait_for(_held, 120)
    stopped = list(bench.effects)
    resume(org_id, by=OPERATOR)
    answer_form(only_run_id(), decision="already recorded", reviewer=OPERATOR)

    assert beside.end().is_completed()
    assert (stopped, bench.effects) == ([], ["a"])


def test_the_form_of_a_run_that_the_suspension_holds_releases_nothing(bench: Bench, org_id: UUID) -> None:
    bench.plan(step("a", text="a"), step("b", after=("a",), text="b"))
    beside = _during(bench, "a", _suspend(org_id))

    answer_form(only_run_id(), decision="approve", reviewer=AUTHOR)
    (refusal,) = wait_for(lambda: rows("SELECT gate_refusal FROM orchestrator_runs WHERE gate_refusal IS NOT NULL"))
    with pytest.raises(BadInput, match="demo is suspended"):
        release_run(_run(), AUTHOR)

    assert "demo is suspended" in refusal[0]
    assert bench.effects == ["a"]
    wait_for(_held, 120)
    resume(org_id, by=OPERATOR)
    answer_form(only_run_id(), decision="already recorded", reviewer=OPERATOR)
    assert beside.end().is_completed()


def test_what_a_person_holds_stays_held_when_the_organisation_is_resumed(bench: Bench, org_id: UUID) -> None:
    def hold_and_suspend() -> None:
        hold_run(_run(), AUTHOR)
        suspend(org_id, "unpaid", by=OPERATOR)

    bench.plan(step("a", text="a"), step("b", after=("a",), text="b"))
    beside = _during(bench, "a", hold_and_suspend)

    resume(org_id, by=OPERATOR)

    assert _run().held_by == AUTHOR
    assert runs_to_wake(org_id) == []
    answer_form(only_run_id(), decision="approve", reviewer=AUTHOR)
    assert beside.end().is_completed()


def test_a_run_that_only_the_suspension_holds_is_to_be_woken(org_id: UUID) -> None:
    run_id = add_run(org_id, status="paused", gate_kind="hold")
    suspend(org_id, "unpaid", by=OPERATOR)
    held = find_run(run_id)
    assert held
    assert (held.held_by, runs_to_wake(org_id)) == (SUSPENSION, [])

    resume(org_id, by=OPERATOR)

    assert [run.id for run in runs_to_wake(org_id)] == [run_id]


def test_no_attempt_begins_after_the_suspension_whatever_the_executor_has_seen_before(
    bench: Bench, org_id: UUID
) -> None:
    def suspend_and_begin() -> None:
        suspend(org_id, "unpaid", by=OPERATOR)
        # As the task of a step does that has waited for its slot meanwhile.
        with pytest.raises(OrganizationSuspended), Attempt(payload_of(_run(), "a")):
            pass

    bench.plan(step("a", text="a"), step("b", text="b", after=("a",)))
    beside = _during(bench, "a", suspend_and_begin)

    assert rows("SELECT step_id, status FROM agent_invocations") == [("a", "completed")]
    resume(org_id, by=OPERATOR)
    answer_form(only_run_id(), decision="already recorded", reviewer=OPERATOR)
    assert beside.end().is_completed()
    assert bench.effects == ["a", "b"]


def test_an_attempt_that_is_refused_by_the_suspension_is_no_failure_of_its_step(
    bench: Bench, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def suspended_meanwhile(step_id: str, **_context: object) -> None:
        seen.append(step_id)
        if len(seen) == 1:
            suspend(org_id, "unpaid", by=OPERATOR)
            raise OrganizationSuspended(step_id)

    monkeypatch.setattr("tasks.attempts.check_may_begin", suspended_meanwhile)
    bench.plan(step("a", text="a"))
    beside = bench.run_beside()
    wait_for(_held, 120)
    assert rows("SELECT 1 FROM agent_invocations") == []
    resume(org_id, by=OPERATOR)
    answer_form(only_run_id(), decision="already recorded", reviewer=OPERATOR)

    assert beside.end().is_completed()
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(only_run_id()).state_name == "Completed"
    assert rows("SELECT status FROM agent_invocations") == [("completed",)]
