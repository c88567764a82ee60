"""A question that a live writer answers: the real SDK over HTTP against a strict local server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State

from blocks.claude import ClaudeEngine
from flows.analyze_data import analyze_data
from maos.plans import RetryPolicy
from maos.requests import AnalyzeDataRequest
from maos.settings import load_settings
from tests.gates import rows
from tests.messages_server import MessagesServer

KEY = "sk-test-canary-0123456789"
EXAMPLES = Path(__file__).parent.parent.parent / "examples"
QUERY = {
    "answerable": True,
    "missing": [],
    "sql": (
        "SELECT region, sum(revenue) AS revenue_2025 FROM orders WHERE year(order_date) = 2025 AND region IS NOT NULL"
        " GROUP BY region ORDER BY revenue_2025 DESC"
    ),
    "key_is": "first_row",
    "key_column": "revenue_2025",
    "check_sql": (
        "SELECT max(part) FROM (SELECT sum(revenue) AS part FROM orders WHERE year(order_date) = 2025"
        " AND region IS NOT NULL GROUP BY region) AS parts"
    ),
    "assumptions": ["Orders without a region are left out."],
}
TEXT = {"answer": "North leads in 2025.", "context": "The 5 regions are far apart.", "caveats": []}
REFUSAL = {
    "answerable": False,
    "missing": ["The cost of each order."],
    "sql": "",
    "key_is": "first_row",
    "key_column": "",
    "check_sql": "",
    "assumptions": [],
}


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    """The vendor's place, with a key in the settings."""
    with MessagesServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", running.url)
        policy = RetryPolicy(attempts=4, first_delay_seconds=0, jitter=0)
        monkeypatch.setattr("maos.plan_steps.WRITER_RETRY", policy)
        ClaudeEngine(timeout_seconds=30).save("default", overwrite=True)
        yield running


def _analysis(**fields: object) -> State[Any]:
    request = json.loads((EXAMPLES / "analyze_data" / "request.json").read_text())
    orders = str(EXAMPLES / "generate_report" / "orders.csv")
    return analyze_data(AnalyzeDataRequest.model_validate(request | {"datasets": [orders]} | fields), return_state=True)


def _attempts(step: str) -> list[tuple[Any, ...]]:
    return rows(f"SELECT status, error_kind FROM agent_invocations WHERE step_id = '{step}' ORDER BY attempt")


def _presented() -> dict[str, Any]:
    ((output,),) = rows("SELECT output FROM agent_invocations WHERE step_id = 'present_answer'")
    found: dict[str, Any] = output
    return found


def test_a_live_answer_is_computed_checked_and_paid_for(server: MessagesServer) -> None:
    server.will_answer(QUERY, input_tokens=1000, output_tokens=200)
    server.will_answer(TEXT, input_tokens=500, output_tokens=50)

    state = _analysis()

    assert state.is_completed(), state
    presented = _presented()
    assert (presented["answered"], presented["answer"]) == (True, "North leads in 2025.")
    assert presented["key_figure"]["agrees"] is True
    assert presented["caveats"][0] == "Orders without a region are left out."
    page = (load_settings().artifact_store / "demo").rglob("answer.html")
    text = next(page).read_text()
    assert "North leads in 2025." in text
    assert "REHEARSAL" not in text
    assert "claude" not in text.lower()
    ((spent,),) = rows("SELECT sum(cost_usd) FROM agent_invocations")
    assert spent > 0
    assert rows("SELECT reserved, spent FROM budget_standings") == [(0, spent)]
    asked, told = (request.body["messages"][0]["content"] for request in server.requests)
    assert '"table":"orders"' in asked
    assert '"most_frequent":["' in asked
    assert "Which region had the most revenue in 2025?" in asked
    assert '"first_rows":[["North"' in told


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"sql": "SELECT * FROM '/etc/passwd'"}, "there is no table"),
        ({"sql": QUERY["sql"] + "; DROP TABLE orders"}, "exactly one SELECT, not|exactly one SELECT, and is 2"),
        ({"sql": "SELECT colour FROM orders"}, "there is no column 'colour'"),
        # What only the engine knows.
        ({"sql": "SELECT sum(region) AS revenue_2025 FROM orders"}, "sql: Binder Error"),
        ({"key_column": "region"}, "'region' is no number column"),
        ({"check_sql": "SELECT region, 1 FROM orders"}, "exactly one column, a number"),
        ({"check_sql": QUERY["sql"]}, "is the query itself"),
        ({"answerable": False}, "say what the tables lack"),
        ({"key_is": "median"}, "key_is"),
    ],
)
def test_a_bad_query_is_repaired_once_and_then_fails_with_the_reason(
    server: MessagesServer, wrong: dict[str, object], reason: str
) -> None:
    import re

    server.will_answer(QUERY | wrong)
    server.will_answer(QUERY | wrong)

    state = _analysis()

    assert state.is_failed()
    assert len(server.requests) == 2
    assert re.search(reason, server.requests[1].body["messages"][0]["content"])
    assert _attempts("write_query") == [("failed", "unusable_output")] * 2
    assert _attempts("run_query") == []
    ((detail,),) = rows(
        "SELECT d.error_detail FROM invocation_vendor_details d JOIN agent_invocations i ON i.id = d.invocation_id"
        " WHERE i.attempt = 2 AND i.step_id = 'write_query'"
    )
    assert re.search(reason, detail)
    assert rows("SELECT status, error_summary FROM orchestrator_runs") == [
        ("failed", "step 'write_query' failed after 2 tries: the engine did not deliver (unusable output)")
    ]


def test_a_query_is_repaired_and_the_run_goes_on(server: MessagesServer) -> None:
    server.will_say("no JSON at all")
    server.will_answer(QUERY)
    server.will_answer(TEXT | {"answer": "North leads with 9,876,543,210."})
    server.will_answer(TEXT)

    assert _analysis().is_completed()
    assert _attempts("write_query") == [("failed", "unusable_output"), ("completed", None)]
    assert _attempts("write_answer") == [("failed", "unusable_output"), ("completed", None)]
    assert "9,876,543,210" in server.requests[3].body["messages"][0]["content"]


def test_what_the_data_lack_is_said_without_asking_for_words(server: MessagesServer) -> None:
    server.will_answer(REFUSAL)

    state = _analysis(question="What was the profit?")

    assert state.is_completed(), state
    presented = _presented()
    assert (presented["answered"], presented["missing"]) == (False, ["The cost of each order."])
    assert presented["context"] == "It lacks: The cost of each order."
    assert len(server.requests) == 1
    assert rows("SELECT cost_usd FROM agent_invocations WHERE step_id = 'write_answer'") == [(0,)]


def test_a_vendor_that_declines_fails_the_step_and_is_not_asked_again(server: MessagesServer) -> None:
    server.will_refuse("cyber")

    assert _analysis().is_failed()
    assert _attempts("write_query") == [("failed", "declined")]
    assert len(server.requests) == 1


def test_a_rate_limit_is_waited_out(server: MessagesServer) -> None:
    server.will_fail(429, "rate_limit_error", headers={"retry-after": "1"})
    server.will_answer(QUERY)
    server.will_answer(TEXT)

    assert _analysis().is_completed()
    assert _attempts("write_query") == [("failed", "rate_limited"), ("completed", None)]
    assert rows("SELECT kind, count(*) FROM usage_entries GROUP BY kind ORDER BY kind") == [
        ("release", 1),
        ("reserve", 3),
        ("settle", 2),
    ]


def test_a_query_that_takes_too_long_ends_the_run_with_the_limit(server: MessagesServer) -> None:
    endless = "SELECT sum(a.revenue * b.revenue) AS revenue_2025 FROM orders a, orders b, orders c, orders d"
    server.will_answer(QUERY | {"sql": endless})

    assert _analysis(query_seconds=2).is_failed()
    assert _attempts("run_query") == [("failed", "limit_reached")]
    ((summary,),) = rows("SELECT error_summary FROM orchestrator_runs")
    assert "the limit of query time is reached (2 s): the query was stopped" in summary


def test_without_a_key_the_answer_is_rehearsed_and_says_so(
    server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAOS_ANTHROPIC_API_KEY")

    assert _analysis().is_completed()
    assert server.requests == []
    assert rows("SELECT DISTINCT rehearsal, status FROM agent_invocations") == [(True, "completed")]
    assert "REHEARSAL" in next((load_settings().artifact_store / "demo").rglob("answer.md")).read_text()
