"""What a reviewer does besides approving and rejecting: edits, answers to agents, requests for changes."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest

from maos.canonical import digest_of
from maos.evidence_check import check_evidence
from tasks.evidence import Audience, evidence_of
from tests.agents import DONE, agent_step, agents_server, results
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.messages_server import MessagesServer
from tests.plans import Bench, step


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    with agents_server(monkeypatch) as running:
        yield running


def _refusal() -> str | None:
    ((refusal,),) = rows("SELECT gate_refusal FROM orchestrator_runs")
    return str(refusal) if refusal else None


def test_an_edit_is_what_runs_and_the_history_shows_both(bench: Bench) -> None:
    bench.plan(step("send", "note_high", text="first"))
    beside = bench.run_beside()
    (asked,) = wait_for(pending)

    # Braces are nothing to a reviewer's words: they are no template.
    answer_form(only_run_id(), decision="edit", reviewer=REVIEWER, edited=json.dumps({"text": "{{7*7}}{%raw%}"}))

    assert beside.end().is_completed()
    assert bench.effects == ["{{7*7}}{%raw%}"]
    ((payload, digest, revision, decision, consumed),) = rows(
        "SELECT payload, digest, revision, decision, consumed_at IS NOT NULL FROM agent_pending_actions"
    )
    assert (revision, decision, consumed) == (2, "edit", True)
    assert digest == digest_of(payload) != asked.digest
    assert rows(
        "SELECT before->'parameters', after->'parameters', digest_before, edited_by FROM agent_action_edits"
    ) == [({"text": "first"}, {"text": "{{7*7}}{%raw%}"}, asked.digest, REVIEWER)]
    assert rows("SELECT decision, revision, digest FROM agent_action_votes") == [("edit", 2, digest)]
    assert rows("SELECT digest FROM agent_action_audit_log WHERE event = 'step.completed'") == [(digest,)]
    shown = evidence_of(only_run_id(), Audience.CLIENTS)
    assert [(edit.before["parameters"], edit.after["parameters"]) for edit in shown.approvals[0].edits] == [
        ({"text": "first"}, {"text": "{{7*7}}{%raw%}"})
    ]
    assert check_evidence(shown.rendered().encode()).finding is None


@pytest.mark.parametrize(
    ("edited", "reason"),
    [
        ("{", "edited: it is no JSON"),
        ("[1]", "edited: a JSON object with the parameters that change"),
        ("", "edited: a JSON object with the parameters that change"),
        ('{"txet": "x"}', "unknown parameters txet; allowed: text"),
        ('{"text": 7}', "text: Input should be a valid string"),
    ],
)
def test_an_edit_that_the_action_does_not_take_is_refused_and_asked_again(
    bench: Bench, edited: str, reason: str
) -> None:
    bench.plan(step("send", "note_high", text="first"))
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(only_run_id(), decision="edit", reviewer=REVIEWER, edited=edited)

    assert reason in str(wait_for(_refusal))
    assert rows("SELECT status, revision, edited FROM agent_pending_actions") == [("pending", 1, None)]
    assert rows("SELECT count(*) FROM agent_action_votes") == [(0,)]
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert beside.end().is_completed()
    assert bench.effects == ["first"]


def test_each_of_several_actions_may_be_decided_otherwise(bench: Bench) -> None:
    bench.plan(step("one", "note_high", text="one"), step("two", "note_high", text="two"))
    beside = bench.run_beside()
    wait_for(lambda: len(pending()) == 2)
    other = {"step": "two", "decision": "edit", "edited": json.dumps({"text": "zwei"})}

    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER, other_decisions=[other])

    assert beside.end().is_completed()
    assert sorted(bench.effects) == ["one", "zwei"]


def test_an_answer_that_names_a_step_that_was_not_shown_decides_nothing(bench: Bench) -> None:
    bench.plan(step("send", "note_high", text="first"))
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(
        only_run_id(),
        decision="approve",
        reviewer=REVIEWER,
        other_decisions=[{"step": "sned", "decision": "reject", "note": "no"}],
    )

    assert "step sned is not shown; allowed: send" in str(wait_for(_refusal))
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="no")
    assert beside.end().is_cancelled()
    assert bench.effects == []


def test_an_agent_gets_a_persons_answer_instead(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_high"))
    server.will_call(DONE, ("note_high", {"text": "danger"}))
    server.will_say("Done.")
    beside = bench.run_beside()
    wait_for(pending)

    answer_form(only_run_id(), decision="respond", reviewer=REVIEWER, note="The figure is 42.")

    assert beside.end().is_completed()
    assert bench.effects == []
    assert results(server.requests[1])[1:] == [
        ("It was not carried out; a person answers instead: The figure is 42.", False)
    ]
    assert rows("SELECT status, decision FROM agent_pending_actions") == [("rejected", "respond")]


def test_an_agent_is_asked_for_changes_at_most_three_times(bench: Bench, server: MessagesServer) -> None:
    bench.plan(agent_step("research", "note_high"))
    for number in range(4):
        server.will_call(*([DONE] if number == 0 else []), ("note_high", {"text": f"draft{number}"}))
    server.will_say("Done.")
    beside = bench.run_beside()
    for number in range(3):
        wait_for(lambda number=number: [each for each in pending() if f"draft{number}" in str(each.payload)])
        answer_form(only_run_id(), decision="request changes", reviewer=REVIEWER, note=f"shorter {number}")
    wait_for(lambda: [each for each in pending() if "draft3" in str(each.payload)])

    answer_form(only_run_id(), decision="request changes", reviewer=REVIEWER, note="again")

    assert "changes were requested 3 times already" in str(wait_for(_refusal))
    answer_form(only_run_id(), decision="edit", reviewer=REVIEWER, edited=json.dumps({"text": "final"}))
    assert beside.end().is_completed()
    assert bench.effects == ["final"]
    told = results(server.requests[1])[-1]
    assert told == (
        "It was not carried out; a person asks for changes, after which you may call it again: shorter 0",
        True,
    )
    assert results(server.requests[4])[-1][0].startswith(
        'Carried out as step research_call4_1, with what a person has made of it: {"text":"final"}.'
    )


def test_a_plan_approved_at_once_runs_what_was_shown_and_asks_about_what_was_not(bench: Bench) -> None:
    bench.plan(
        step("one", "note_high", text="one"),
        step("two", "note_medium", text="two"),
        step("three", "note_high", after=("one",), text="three"),
    )
    beside = bench.run_beside(approve_plan=True)
    (plan,) = wait_for(pending)
    assert [each["step_id"] for each in plan.payload["covers"]] == ["one", "two"]
    assert "Not covered" in plan.preview

    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    wait_for(lambda: [each for each in pending() if each.step_id == "three"])
    assert sorted(bench.effects) == ["one", "two"]
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert beside.end().is_completed()
    assert rows(
        "SELECT step_id, decided_via, granted_by IS NOT NULL, consumed_at IS NOT NULL FROM agent_pending_actions "
        "ORDER BY step_id"
    ) == [
        ("(plan)", "form", False, False),
        ("one", "plan", True, True),
        ("three", "form", False, True),
        ("two", "plan", True, True),
    ]
    shown = evidence_of(only_run_id(), Audience.CLIENTS).rendered()
    assert check_evidence(shown.encode()).finding is None
    assert "internal_service" not in shown


def test_a_plan_that_is_rejected_does_nothing(bench: Bench) -> None:
    bench.plan(step("one", "note_high", text="one"))
    beside = bench.run_beside(approve_plan=True)
    wait_for(pending)

    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="not now")

    assert beside.end().is_cancelled()
    assert bench.effects == []
    assert rows("SELECT error_summary FROM orchestrator_runs") == [
        (f"the plan was not approved: step '(plan)' was rejected by {REVIEWER}: not now",)
    ]


def test_a_run_without_anything_to_ask_is_not_asked_about(bench: Bench) -> None:
    bench.plan(step("one", text="one"))

    assert bench.run(approve_plan=True).is_completed()
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(0,)]
