"""Agents under the rules of the house: what they are told, what they may not call, and what they may not answer."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from maos.price_overrides import PriceOverride
from sql import price_overrides
from sql.session import org_session
from sql.tables import utc_now
from tests.agents import DONE, agent_step, agents_server, cost, result, results, told, turns
from tests.gates import REVIEWER, answer_form, only_run_id, pending, wait_for
from tests.messages_server import MessagesServer
from tests.plans import Bench
from tests.rule_books import ProjectRules


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    with agents_server(monkeypatch) as running:
        yield running


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProjectRules:
    return ProjectRules(monkeypatch, tmp_path)


def test_an_agent_is_told_the_rules_and_gives_an_answer_anew_that_they_do_not_allow(
    bench: Bench, server: MessagesServer, project: ProjectRules
) -> None:
    project.say("forbidden_terms: [falcon]", prose="Never promise anything.")
    bench.plan(agent_step())
    server.will_call(DONE)
    server.will_say("The falcon is it.")
    server.will_say("The bird is it.")

    assert bench.run().is_completed()

    assert "Never promise anything." in server.requests[0].body["system"][0]["text"]
    assert "answer: has the forbidden term 'falcon'" in told(server.requests[2])
    assert result()["answer"] == "The bird is it."


def test_an_answer_that_the_rules_refuse_twice_fails_the_step(
    bench: Bench, server: MessagesServer, project: ProjectRules
) -> None:
    project.say("forbidden_terms: [falcon]")
    bench.plan(agent_step())
    server.will_call(DONE)
    server.will_say("The falcon is it.")
    server.will_say("It is the falcon.")

    assert bench.run().is_failed()

    assert turns()[-1] == (3, "Ada", "failed", "unusable_output")


def test_a_call_that_the_rules_refuse_is_not_carried_out_and_says_why(
    bench: Bench, server: MessagesServer, project: ProjectRules
) -> None:
    project.say("forbidden_terms: [falcon]")
    bench.plan(agent_step("research", "note_low"))
    server.will_call(DONE, ("note_low", {"text": "the falcon"}), ("note_low", {"text": "the bird"}))
    server.will_say("Done.")

    assert bench.run().is_completed()

    _, refused, noted = results(server.requests[1])
    assert refused == ("The rules of the house refuse it: parameter text: has the forbidden term 'falcon'", True)
    assert noted[1] is False
    assert bench.carried_out.read_text() == "the bird\n"


def test_a_call_that_the_rules_have_somebody_asked_about_becomes_a_step_that_waits(
    bench: Bench, server: MessagesServer, project: ProjectRules
) -> None:
    project.say("ask_first: {note_low: {roles: [reviewer]}}")
    bench.plan(agent_step("research", "note_low"))
    server.will_call(DONE, ("note_low", {"text": "mine"}))
    server.will_say("Done.")
    beside = bench.run_beside()
    (asked,) = wait_for(pending)

    assert (asked.action, bench.effects) == ("note_low", [])
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert bench.effects == ["mine"]


def test_an_agents_turns_are_charged_as_agreed_with_the_organisation(
    bench: Bench, server: MessagesServer, org_id: UUID
) -> None:
    bench.plan(agent_step())
    server.will_call(DONE, input_tokens=1000, output_tokens=100)
    server.will_say("Done.", input_tokens=1000, output_tokens=100)
    assert bench.run().is_completed()
    listed = cost()
    _agree_on_half_as_much_again(org_id)
    server.will_call(DONE, input_tokens=1000, output_tokens=100)
    server.will_say("Done.", input_tokens=1000, output_tokens=100)

    assert bench.run().is_completed()

    assert cost() == listed + listed * Decimal("1.5")


def _agree_on_half_as_much_again(org_id: UUID) -> None:
    now = utc_now()
    agreed = PriceOverride(
        id=uuid4(), model="*", rates={}, markup_percent=Decimal(50), effective_from=now, set_by="owner", set_at=now
    )
    with org_session(org_id) as session:
        price_overrides.add_override(agreed, org_id=org_id, session=session)
