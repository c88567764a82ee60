"""Rules are enforced before a plan is accepted and again when each step runs, and a change of them asks anew."""

import threading
from contextvars import copy_context
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State, StateType
from sqlalchemy.exc import IntegrityError, ProgrammingError

from maos.actions import StepOutcome
from maos.approval_view import approvals_as_markdown
from maos.effects import Effect, EffectKind
from maos.errors import BadInput, RulesRefused
from maos.plans import PlanStep
from maos.rendering import TemplateText
from maos.risk import RiskLevel
from sql import rules as stored_rules
from sql.audit import verify_chain
from sql.organizations import ensure_member, ensure_organization
from sql.session import org_session, system_session
from tasks.rules import rule_book, store_rules
from tasks.services.registry import ServiceCall, internal_service
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import Bench, NoteParameters, run_again, step
from tests.rule_books import ProjectRules, document

OWNER = "owner@demo.example"


@pytest.fixture
def project(org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProjectRules:
    """The project's rules, which say nothing yet; the organisation has an owner."""
    with system_session() as session:
        ensure_member(OWNER, "Owner", "owner", org_id=org_id, session=session)
    rules = ProjectRules(monkeypatch, tmp_path)
    rules.say("")
    return rules


class Letter(NoteParameters):
    """What a test letter says, and to whom."""

    to: tuple[str, ...] = ("ann@example.com",)
    text: TemplateText = ""


@pytest.fixture
def letters(bench: Bench) -> Bench:
    """The bench with `send_letter`, which notes what it sends."""

    @internal_service(
        action="send_letter",
        risk=RiskLevel.LOW,
        title="Send a letter.",
        parameters=Letter,
        open_inputs=True,
        effect=Effect(kind=EffectKind.EMAIL, repeatable=True),
    )
    def send(_call: ServiceCall[Letter]) -> StepOutcome:
        with bench.carried_out.open("a") as file:
            file.write("sent\n")
        return StepOutcome(output={}, summary="Sent.")

    return bench


def letter(**parameters: object) -> PlanStep:
    return step("letter", "send_letter", **parameters)


def _nothing_was_written(bench: Bench) -> None:
    for table in ("orchestrator_runs", "agent_invocations", "budgets", "usage_entries", "agent_action_audit_log"):
        assert rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert bench.effects == []


def _run_again_beside(run_id: UUID) -> Any:
    ends: list[State[Any]] = []
    thread = threading.Thread(target=copy_context().run, args=(lambda: ends.append(run_again(run_id)),), daemon=True)
    thread.start()

    def end() -> State[Any]:
        thread.join(60)
        return ends[0]

    return end


def test_a_plan_against_the_rules_is_refused_with_every_fault_and_writes_nothing(
    letters: Bench, project: ProjectRules
) -> None:
    project.say(
        "actions: [note_low, send_letter]\nforbidden_terms: [falcon]\n"
        "limits: {steps: 2, cost_usd: 5}\nemail: {domains: [example.com]}"
    )
    letters.plan(
        step("a", "note_low", text="Falcon"),
        step("b", "note_medium"),
        step("letter", "send_letter", to=["eve@evil.example"]),
    )

    state = letters.run(cost_cap_usd="5.01")

    assert state.is_failed()
    for fault in (
        "3 steps; the rules allow at most 2",
        "cost_cap_usd: 5.01 is not allowed; the rules allow at most 5",
        "step 'a': parameter text: has the forbidden term 'falcon'",
        "step 'b': action 'note_medium' is not allowed; allowed: note_low, send_letter",
        "step 'letter': parameter to: 'eve@evil.example' is not allowed",
    ):
        assert fault in (state.message or "")
    _nothing_was_written(letters)


@pytest.mark.parametrize("content", [None, "# No block", "```maos-rules\nask_first: {fly: {}}\n```"])
def test_without_rules_that_can_be_read_nothing_runs(bench: Bench, project: ProjectRules, content: str | None) -> None:
    project.file.unlink() if content is None else project.file.write_text(content)
    bench.plan(step("a", text="a"))

    state = bench.run()

    assert state.is_failed()
    assert "the rules in the project's file of rules (MAOS_RULES_FILE) are refused" in (state.message or "")
    _nothing_was_written(bench)


def test_a_step_is_refused_at_its_turn_by_what_it_has_read(letters: Bench, project: ProjectRules) -> None:
    project.say("forbidden_terms: [falcon]")
    # The term comes together only when the template is rendered.
    letters.plan(step("a", text="fal"), letter(text="{{ a.text }}con").model_copy(update={"inputs": {"a": "a"}}))

    assert letters.run().is_failed()
    assert letters.effects == ["fal"]
    assert rows("SELECT status, error_kind, error_summary FROM agent_invocations WHERE step_id = 'letter'") == [
        ("failed", "refused", "the rules refuse it (parameter text)")
    ]
    assert rows("SELECT error_detail FROM invocation_vendor_details") == [
        ("step 'letter' breaks the rules: parameter text: has the forbidden term 'falcon'",)
    ]
    assert rows("SELECT count(*) FROM effects") == [(0,)]


def test_nobody_is_asked_about_what_the_rules_forbid(letters: Bench, project: ProjectRules) -> None:
    project.say("forbidden_terms: [falcon]\nask_first: {send_letter: {}}")
    letters.plan(step("a", text="fal"), letter(text="{{ a.text }}con").model_copy(update={"inputs": {"a": "a"}}))

    assert letters.run().is_failed()
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(0,)]
    assert rows("SELECT error_kind FROM agent_invocations WHERE step_id = 'letter'") == [("refused",)]


def test_an_action_that_asks_first_is_decided_by_those_who_are_named(bench: Bench, project: ProjectRules) -> None:
    project.say(f"ask_first: {{note_low: {{users: [{OWNER}]}}}}")
    bench.plan(step("a", text="a"))
    beside = bench.run_beside()
    (asked,) = wait_for(pending)
    assert f"| only decided by | `{OWNER}` |" in approvals_as_markdown([asked], refusal=None)

    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    refusal = wait_for(lambda: rows("SELECT gate_refusal FROM orchestrator_runs WHERE gate_refusal IS NOT NULL"))
    assert f"{REVIEWER} may not decide this; deciding takes {OWNER}" in refusal[0][0]
    assert bench.effects == []
    answer_form(only_run_id(), decision="approve", reviewer=OWNER)

    assert beside.end().is_completed()
    assert bench.effects == ["a"]


def test_rules_that_change_after_an_approval_void_it_and_ask_anew(
    bench: Bench,
    project: ProjectRules,  # noqa: ARG001 - it lets the owner store rules
    org_id: UUID,
) -> None:
    bench.plan(step("a", "note_high", text="a"))
    beside = bench.run_beside()
    wait_for(pending)

    store_rules(org_id, document("limits: {steps: 5}"), person=OWNER)
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    second = wait_for(lambda: len(rows("SELECT 1 FROM agent_pending_actions")) == 2 and pending())
    assert bench.effects == []
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert bench.effects == ["a"]
    assert rows("SELECT status FROM agent_pending_actions ORDER BY started_at") == [("cancelled",), ("approved",)]
    assert rows(f"SELECT consumed_at IS NOT NULL FROM agent_pending_actions WHERE id = '{second[0].id}'") == [(True,)]


def test_a_rule_that_comes_while_a_run_is_under_way_makes_its_next_step_ask(
    bench: Bench, project: ProjectRules
) -> None:
    def tighten(name: str) -> None:
        if name == "a":
            project.say("ask_first: {note_medium: {}, note_low: {}}")

    bench.before = tighten
    bench.plan(step("a", text="a"), step("b", text="b", after=("a",)))
    beside = bench.run_beside()

    assert [each.step_id for each in wait_for(pending)] == ["b"]
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert bench.effects == ["a", "b"]


def test_a_run_that_wakes_up_under_other_rules_asks_how_it_goes_on(bench: Bench, project: ProjectRules) -> None:
    bench.plan(step("a", text="a"), step("b", "note_high", text="b", after=("a",)))
    beside = bench.run_beside()
    wait_for(pending)
    run_id = only_run_id()
    answer_form(run_id, decision="reject", reviewer=REVIEWER, note="not yet")
    assert beside.end().type is StateType.CANCELLED
    rows("UPDATE agent_pending_actions SET status = 'cancelled' RETURNING id")

    project.say("", prose="Be kinder.")
    end = _run_again_beside(run_id)
    (asked,) = wait_for(lambda: [each for each in pending() if each.kind == "needs_decision"])
    assert "`rules` is no longer what the run was planned with" in asked.preview
    answer_form(run_id, decision="reject", reviewer=REVIEWER, note="then not")

    assert end().type is StateType.CANCELLED
    assert bench.effects == ["a"]


def test_limits_lower_parallelism_and_cap_the_cost(bench: Bench, project: ProjectRules) -> None:
    project.say("limits: {parallelism: 2, cost_usd: 7.5}")
    bench.plan(step("a", text="a"))

    assert bench.run().is_completed()
    assert rows("SELECT plan->>'parallelism', budget_cap_usd FROM orchestrator_runs") == [("2", Decimal("7.5"))]
    assert rows("SELECT scope, limit_amount FROM budgets") == [("run", Decimal("7.5"))]


def test_a_run_that_takes_too_long_begins_nothing_more(bench: Bench, project: ProjectRules) -> None:
    project.say("limits: {wall_time_seconds: 60}")
    bench.plan(step("a", text="a"), step("b", "note_high", text="b", after=("a",)))
    beside = bench.run_beside()
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE status = 'paused'"))

    rows("UPDATE orchestrator_runs SET started_at = started_at - interval '2 minutes' RETURNING id")
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_failed()
    assert bench.effects == ["a"]
    assert rows("SELECT status, error_summary FROM orchestrator_runs") == [
        ("failed", "it has taken longer than the 60 seconds that its rules allow")
    ]


def test_time_in_which_people_are_waited_for_does_not_count(bench: Bench, project: ProjectRules) -> None:
    project.say("limits: {wall_time_seconds: 60}")
    bench.plan(step("a", "note_high", text="a"))
    beside = bench.run_beside()
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE status = 'paused'"))

    rows(
        "UPDATE orchestrator_runs SET started_at = started_at - interval '1 hour', "
        "paused_at = paused_at - interval '1 hour' RETURNING id"
    )
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert rows("SELECT waited_seconds > 3599 FROM orchestrator_runs") == [(True,)]


def test_an_organisation_is_held_by_both_documents_and_another_by_the_projects_alone(
    project: ProjectRules, org_id: UUID
) -> None:
    project.say("limits: {steps: 9}", prose="House.")
    store_rules(org_id, document("limits: {steps: 3}", prose="Ours."), person=OWNER)
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)

    book, others = rule_book(org_id), rule_book(other)

    assert (book.rules.limits.steps, others.rules.limits.steps) == (3, 9)
    assert (book.organization_version, others.organization_version) == (1, 0)
    assert "Ours." in book.prose
    assert "Ours." not in others.prose
    assert book.digest != others.digest
    with org_session(other) as session:
        assert stored_rules.newest_rules(org_id, session=session) is None
    with org_session(other) as session, pytest.raises(ProgrammingError, match="row-level security"):
        stored_rules.add_rules(org_id, document(""), version=2, stored_by=OWNER, session=session)


def test_storing_keeps_every_version_and_is_audited_without_a_run(
    project: ProjectRules,  # noqa: ARG001 - it lets the owner store rules
    org_id: UUID,
) -> None:
    assert store_rules(org_id, document("limits: {steps: 3}"), person=OWNER) == (1, True)
    assert store_rules(org_id, document("limits: {steps: 3}"), person=OWNER) == (1, False)
    assert store_rules(org_id, document("limits: {steps: 4}"), person=OWNER) == (2, True)

    assert rows("SELECT version, stored_by FROM organization_rules ORDER BY version") == [(1, OWNER), (2, OWNER)]
    assert rows("SELECT event, actor, run_id, was_automatic FROM agent_action_audit_log ORDER BY sequence") == [
        ("rules.stored", OWNER, None, False),
        ("rules.stored", OWNER, None, False),
    ]
    with system_session() as session:
        assert verify_chain(org_id, session=session) == (2, None)
    with org_session(org_id) as session, pytest.raises(IntegrityError):
        stored_rules.add_rules(org_id, document(""), version=2, stored_by=OWNER, session=session)


def test_looser_rules_and_strangers_store_nothing(project: ProjectRules, org_id: UUID) -> None:
    project.say("limits: {steps: 9}")

    with pytest.raises(RulesRefused, match=r"limits\.steps: '10' is looser than the project's rules; allowed: at most"):
        store_rules(org_id, document("limits: {steps: 10}"), person=OWNER)
    with pytest.raises(BadInput, match="a member with role owner"):
        store_rules(org_id, document("limits: {steps: 8}"), person=REVIEWER)

    assert rows("SELECT count(*) FROM organization_rules") == [(0,)]
