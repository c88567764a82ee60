"""A report whose narrative a live writer writes: the real SDK over HTTP against a strict local server."""

import json
import threading
from collections.abc import Iterator
from contextvars import copy_context
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State

from blocks.claude import ClaudeEngine
from flows.generate_report import generate_report
from maos.corrections import Finding
from maos.metrics import DatasetProfile, Metrics
from maos.narrative import NARRATIVE
from maos.plans import RetryPolicy
from maos.pricing import cost_of
from maos.report_parameters import NarrativeParameters
from maos.requests import GenerateReportRequest
from maos.settings import load_settings
from maos.usage import TokenUsage
from sql.corrections import CallFilter
from sql.organizations import ensure_member
from sql.session import system_session
from tasks.billing import check_billing
from tasks.corrections import review_costs
from tasks.rules import store_rules
from tests.gates import REVIEWER, answer_form, cancel_the_run, only_run_id, pending, refuse_top_up, rows, wait_for
from tests.messages_server import MessagesServer
from tests.rule_books import ProjectRules, document

KEY = "sk-test-canary-0123456789"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "generate_report"
WRONG = {"headline": "Revenue reached 9,876,543", "paragraphs": ["All went well."], "caveats": []}
RIGHT = {"headline": "A good year", "paragraphs": ["North leads by region."], "caveats": ["Some rows were dirty."]}


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    """The vendor's place, with a key in the settings."""
    with MessagesServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", running.url)
        ClaudeEngine(timeout_seconds=10).save("default", overwrite=True)
        yield running


def _report(**fields: object) -> State[Any]:
    request = json.loads((EXAMPLE / "request.json").read_text()) | {"dataset": str(EXAMPLE / "orders.csv")} | fields
    return generate_report(GenerateReportRequest.model_validate(request), return_state=True)


class _Beside:
    def __init__(self, **fields: object) -> None:
        self.state: State[Any] | None = None
        self._thread = threading.Thread(target=copy_context().run, args=(self._run, fields), daemon=True)
        self._thread.start()

    def _run(self, fields: dict[str, object]) -> None:
        self.state = _report(**fields)

    def end(self) -> State[Any]:
        self._thread.join(180)
        assert self.state is not None, "the run did not end"
        return self.state


def _attempts() -> list[tuple[Any, ...]]:
    return rows(
        "SELECT attempt, status, error_kind, input_tokens, output_tokens, cost_usd FROM agent_invocations "
        "WHERE step_id = 'write_narrative' ORDER BY attempt"
    )


def _cost(tokens_in: int, tokens_out: int) -> Decimal:
    ((at,),) = rows("SELECT min(started_at) FROM agent_invocations WHERE step_id = 'write_narrative'")
    return cost_of(TokenUsage(input_tokens=tokens_in, output_tokens=tokens_out), "claude-sonnet-5-5", at).usd


def test_a_live_narrative_is_published_and_paid_for_exactly(server: MessagesServer) -> None:
    server.will_answer(RIGHT, input_tokens=1000, output_tokens=200)
    beside = _Beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_completed()
    cost = _cost(1000, 200)
    assert cost > 0
    assert _attempts() == [(1, "completed", None, 1000, 200, cost)]
    assert rows("SELECT reserved, spent FROM budget_standings") == [(0, cost)]
    assert rows("SELECT kind FROM usage_entries ORDER BY recorded_at") == [("reserve",), ("settle",)]
    assert rows("SELECT model, price_snapshot IS NOT NULL FROM invocation_vendor_details") == [
        ("claude-sonnet-5-5", True)
    ]
    assert [(each.finding, each.now_usd) for each in review_costs(CallFilter())] == [(Finding.SAME, cost)]
    report = next(load_settings().artifact_store.rglob("report.html")).read_text()
    assert "A good year" in report
    assert "claude" not in report.lower()
    assert "REHEARSAL" not in report
    assert len(server.requests) == 1


def test_a_figure_that_is_not_in_the_data_is_written_once_more(server: MessagesServer) -> None:
    server.will_answer(WRONG, input_tokens=1000, output_tokens=200)
    server.will_answer(RIGHT, input_tokens=1100, output_tokens=150)
    beside = _Beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="seen enough")
    beside.end()

    assert [attempt[:5] for attempt in _attempts()] == [
        (1, "failed", "unusable_output", 1000, 200),
        (2, "completed", None, 1100, 150),
    ]
    assert "9,876,543" in json.dumps(server.requests[1].body)
    assert rows("SELECT spent FROM budget_standings") == [(_cost(1000, 200) + _cost(1100, 150),)]


def test_the_writer_is_told_the_rules_and_its_persona_in_cached_blocks(
    server: MessagesServer, org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ProjectRules(monkeypatch, tmp_path).say("forbidden_terms: [falcon]", prose="Be kind.")
    with system_session() as session:
        ensure_member("owner@demo.example", "Owner", "owner", org_id=org_id, session=session)
    store_rules(org_id, document("", prose="Praise nobody."), person="owner@demo.example")
    server.will_answer(RIGHT)
    beside = _Beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="seen enough")
    beside.end()

    ruled, asked = server.requests[0].body["system"]
    assert ruled["text"].index("Be kind.") < ruled["text"].index("- falcon") < ruled["text"].index("Praise nobody.")
    assert "business analyst" in asked["text"]
    assert ruled["cache_control"] == asked["cache_control"] == {"type": "ephemeral"}


def test_a_forbidden_term_is_written_once_more_without_it(
    server: MessagesServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ProjectRules(monkeypatch, tmp_path).say("forbidden_terms: [falcon]")
    server.will_answer({**RIGHT, "headline": "A FALCON of a year"})
    server.will_answer(RIGHT)
    beside = _Beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="seen enough")
    beside.end()

    assert [attempt[1:3] for attempt in _attempts()] == [("failed", "unusable_output"), ("completed", None)]
    assert "headline: has the forbidden term 'falcon'" in json.dumps(server.requests[1].body)


def test_a_second_unsupported_figure_fails_the_step(server: MessagesServer) -> None:
    server.will_answer(WRONG)
    server.will_answer(WRONG)

    state = _report()

    assert state.is_failed()
    assert len(server.requests) == 2
    assert rows("SELECT status, error_summary FROM orchestrator_runs") == [
        ("failed", "step 'write_narrative' failed after 2 tries: the engine did not deliver (unusable output)")
    ]


def test_an_overloaded_writer_is_asked_again_and_each_try_is_recorded(
    server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maos.plan_steps.WRITER_RETRY", RetryPolicy(attempts=4, first_delay_seconds=0, jitter=0))
    server.will_fail(529, "overloaded_error")
    server.will_fail(429, "rate_limit_error")
    server.will_answer(RIGHT, input_tokens=10, output_tokens=20)
    beside = _Beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="seen enough")
    beside.end()

    assert [attempt[1:3] for attempt in _attempts()] == [
        ("failed", "overloaded"),
        ("failed", "rate_limited"),
        ("completed", None),
    ]
    assert rows("SELECT kind, count(*) FROM usage_entries GROUP BY kind ORDER BY kind") == [
        ("release", 2),
        ("reserve", 3),
        ("settle", 1),
    ]
    assert check_billing() == []


def test_a_refused_key_is_not_tried_again_and_never_shown(server: MessagesServer) -> None:
    server.will_fail(401, "authentication_error", f"invalid key {KEY}")

    state = _report()

    assert state.is_failed()
    assert len(server.requests) == 1
    everything = str(rows("SELECT * FROM agent_invocations")) + str(rows("SELECT * FROM invocation_vendor_details"))
    assert KEY not in everything
    assert _attempts()[0][2] == "not_permitted"


def test_a_cap_below_the_ceiling_stops_before_the_call(server: MessagesServer) -> None:
    beside = _Beside(cost_cap_usd="0.00000001")
    refuse_top_up()

    assert beside.end().is_failed()
    assert server.requests == []
    ((summary,),) = rows("SELECT error_summary FROM orchestrator_runs")
    assert summary.startswith("step 'write_narrative' failed: it could cost 0.")
    assert summary.endswith(" USD; the run budget has 0.00000001 USD left")
    assert [attempt[1:3] for attempt in _attempts()] == [("failed", "budget")]
    assert rows("SELECT count(*) FROM usage_entries") == [(0,)]


def test_without_a_key_the_run_is_a_rehearsal_and_says_so(
    server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAOS_ANTHROPIC_API_KEY")
    beside = _Beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert beside.end().is_completed()
    assert server.requests == []
    assert set(rows("SELECT rehearsal FROM agent_invocations")) == {(True,)}
    assert rows("SELECT rehearsal FROM orchestrator_runs") == [(True,)]
    assert "REHEARSAL" in next(load_settings().artifact_store.rglob("report.html")).read_text()


def test_what_the_writer_is_sent_holds_the_figures_it_may_state(server: MessagesServer) -> None:
    server.will_answer(RIGHT)
    beside = _Beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="seen enough")
    beside.end()

    outputs = dict(rows("SELECT step_id, output FROM agent_invocations"))
    profile = DatasetProfile.model_validate(outputs["profile_data"])
    metrics = Metrics.model_validate(outputs["aggregate_metrics"])
    inputs = {"profile": profile.model_dump(mode="json"), "metrics": metrics.model_dump(mode="json")}
    prompt = NARRATIVE.prompt(NarrativeParameters(), inputs)
    assert server.requests[0].body["messages"][0]["content"] == prompt.user


def test_a_run_that_is_cancelled_in_the_middle_of_a_call_asks_for_no_other(server: MessagesServer) -> None:
    ClaudeEngine(timeout_seconds=3).save("default", overwrite=True)
    server.will_end("stall", after=3)
    server.will_answer(RIGHT)
    beside = _Beside()
    wait_for(lambda: server.requests)

    cancel_the_run()

    assert not beside.end().is_completed()
    assert len(server.requests) == 1
    assert rows("SELECT status FROM orchestrator_runs") == [("cancelled",)]
    ((_, status, kind, _, _, spent),) = _attempts()
    # Whether it was answered is not known: it counts at its ceiling.
    assert (status, kind, spent > 0) == ("failed", "process_died", True)
