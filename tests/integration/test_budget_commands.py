"""`maos budgets` and `maos usage`, and the notices of budgets that come to their end."""

import csv
import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from console.budgets import budgets as budgets_command
from console.run import read_request
from console.usage import usage
from maos.budgets import BudgetPeriod, BudgetScope, BudgetUnit
from maos.corrections import PastCall
from maos.errors import BadInput, BudgetExceeded
from sql import budgets
from sql.audit import verify_chain
from sql.budgets import RunCaps
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tasks.budget_notices import note_thresholds
from tasks.entrypoints import ENTRYPOINTS
from tests.budgets import add_budget, begin, end, standing
from tests.gates import OWNER, REVIEWER, rows
from tests.rows import add_run, invocation

MONTH = ("--period", "month")


def _run(command: click.Command, *arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _set(limit: str, *options: str, person: str = OWNER) -> str:
    return _run(budgets_command, "set", "--org", "demo", "--as", person, "--limit", limit, *options)


def _show(*options: str) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(_run(budgets_command, "show", "--org", "demo", "--json", *options))
    return shown


def _usage(*options: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(_run(usage, "--json", *options))
    return shown


def _call(org_id: UUID, run_id: UUID, cost: str, step: str = "a", ceiling: str = "1", **asked: Any) -> None:
    end(begin(org_id, run_id, ceiling, step, **asked), cost, tokens=1000)


def test_a_limit_is_set_shown_and_enforced(org_id: UUID) -> None:
    said = _set("1.5", *MONTH, "--notice-at", "80", "--notice-at", "50")
    _call(org_id, add_run(org_id), "0.7")

    assert said == "usd of the org a month: 1.5 USD, 0 USD spent, 1.5 USD left\n"
    (row,) = _show()
    known = {name: row[name] for name in ("scope", "name", "unit", "period", "limit", "spent", "reserved", "left")}
    assert known == {
        "scope": "org",
        "name": "demo",
        "unit": "usd",
        "period": "month",
        "limit": "1.50000000",
        "spent": "0.70000000",
        "reserved": "0.00000000",
        "left": "0.80000000",
    }
    assert row["notice_at"] == "50 %, 80 %"
    assert datetime.fromisoformat(row["begins"]) <= datetime.now(UTC) < datetime.fromisoformat(row["ends"])
    with pytest.raises(BudgetExceeded):
        begin(org_id, add_run(org_id), "1", "b")
    assert rows("SELECT actor, event, summary FROM agent_action_audit_log") == [
        (OWNER, "budget.set", "usd of the org a month: 1.5 USD, notices at 50 %, 80 %")
    ]


def test_a_limit_below_what_is_spent_is_taken_and_stops_what_comes_next(org_id: UUID) -> None:
    _set("5")
    _call(org_id, add_run(org_id), "1")
    said = _set("0.25")

    assert said == "usd of the org in total: 0.25 USD, 1 USD spent, -0.75 USD left\n"
    with pytest.raises(BudgetExceeded, match=r"-0\.75 USD left"):
        begin(org_id, add_run(org_id), "0.00000001", "b")
    _set("1.00000001")
    _call(org_id, add_run(org_id), "0.00000001", ceiling="0.00000001")


def test_a_top_up_raises_the_present_period_alone(org_id: UUID) -> None:
    _set("1", "--period", "day")
    _call(org_id, add_run(org_id), "1")
    options = ("--org", "demo", "--period", "day", "--as", OWNER)
    said = _run(budgets_command, "top-up", *options, "--amount", "0.5")

    assert said == "usd of the org a day: 1.5 USD, 1 USD spent, 0.5 USD left\n"
    _call(org_id, add_run(org_id), "0.5", ceiling="0.5")
    tomorrow = invocation(org_id, add_run(org_id), "1.1", "c")
    tomorrow.started_at = datetime.now(UTC) + timedelta(days=1)
    with org_session(org_id) as session:
        session.add(tomorrow)
        session.flush()
        with pytest.raises(BudgetExceeded, match=r" 1 USD left"):
            budgets.reserve(tomorrow, session=session)
    assert [event for (event,) in rows("SELECT event FROM agent_action_audit_log ORDER BY sequence")] == [
        "budget.set",
        "budget.topped_up",
    ]


def test_the_cap_of_a_run_is_raised_by_its_id(org_id: UUID) -> None:
    run_id = add_run(org_id)
    with org_session(org_id) as session:
        budgets.add_run_caps(run_id, RunCaps(usd=Decimal(1), calls=3), org_id=org_id, session=session)
    _set("2", "--scope", "run", "--name", str(run_id)[:8])

    assert _show() == []
    assert [(row["unit"], row["limit"]) for row in _show("--run", str(run_id))] == [
        ("calls", "3"),
        ("usd", "2.00000000"),
    ]


def test_the_caps_of_a_run_are_given_at_its_start() -> None:
    start = ("org=demo", "initiator=author@demo.example", "title=Orders", "dataset=/data/orders.csv")
    caps = ("cost_cap_usd=0.50000001", "token_cap=20000", "call_cap=3")
    request = read_request(ENTRYPOINTS["generate_report"], None, params=(*start, *caps))

    assert (request.cost_cap_usd, request.token_cap, request.call_cap) == (Decimal("0.50000001"), 20000, 3)
    for cap in ("cost_cap_usd=-1", "token_cap=many", "call_cap=0.5"):
        with pytest.raises(BadInput) as refused:
            read_request(ENTRYPOINTS["generate_report"], None, params=(*start, cap))
        assert refused.value.field == cap.partition("=")[0]


@pytest.mark.parametrize(
    ("options", "field", "allowed"),
    [
        (("--limit", "-1", "--as", OWNER), "amount", "from 0"),
        (("--limit", "1.5", "--unit", "calls", "--as", OWNER), "amount", "whole number"),
        (("--limit", "1", "--as", REVIEWER), "--as", "role owner"),
        (("--limit", "1", "--as", "stranger@x.example"), "--as", "role owner"),
        (("--limit", "1", "--scope", "team", "--as", OWNER), "name", "the team"),
        (("--limit", "1", "--scope", "team", "--name", "unknown", "--as", OWNER), "name", "policy names no teams"),
        (("--limit", "1", "--name", "x", "--as", OWNER), "name", "none for the budget of the organisation"),
        (("--limit", "1", "--notice-at", "0", "--as", OWNER), "notice-at", "1 to 100"),
        (("--limit", "1", "--scope", "run", "--name", str(uuid4()), "--as", OWNER), "run", "an id that exists"),
    ],
)
@pytest.mark.usefixtures("org_id")
def test_what_cannot_be_set_is_refused_before_anything_is_written(
    options: tuple[str, ...], field: str, allowed: str
) -> None:
    with pytest.raises(BadInput) as refused:
        _run(budgets_command, "set", "--org", "demo", *options)

    assert refused.value.field == field
    assert allowed in refused.value.allowed
    assert rows("SELECT * FROM budgets") == []
    assert rows("SELECT * FROM agent_action_audit_log") == []


@pytest.mark.usefixtures("org_id")
def test_there_must_be_a_budget_to_top_up() -> None:
    with pytest.raises(BadInput, match="maos budgets show"):
        _run(budgets_command, "top-up", "--org", "demo", "--amount", "1", "--as", OWNER)


@pytest.mark.usefixtures("org_id")
def test_the_time_zone_is_an_owners_to_set() -> None:
    _set("1", "--period", "day")
    _run(budgets_command, "timezone", "Asia/Kathmandu", "--org", "demo", "--as", OWNER)

    (row,) = _show()
    assert datetime.fromisoformat(row["begins"]).astimezone(UTC).time().isoformat() == "18:15:00"
    with pytest.raises(BadInput, match="IANA"):
        _run(budgets_command, "timezone", "Kathmandu", "--org", "demo", "--as", OWNER)
    with pytest.raises(BadInput, match="role owner"):
        _run(budgets_command, "timezone", "UTC", "--org", "demo", "--as", REVIEWER)


def test_each_threshold_is_noticed_once_a_period(org_id: UUID, caplog: pytest.LogCaptureFixture) -> None:
    _set("10", *MONTH, "--notice-at", "50", "--notice-at", "80")
    add_budget(org_id, "10", scope=BudgetScope.AGENT, owner="clerk")
    run_id = add_run(org_id)
    said = []
    with caplog.at_level(logging.WARNING):
        for number, cost in enumerate(["4.99999999", "0.00000001", "1", "3.5", "0.1"]):
            _call(org_id, run_id, cost, f"s{number}", ceiling=cost)
            said.append(note_thresholds())
        said.append(note_thresholds())

    assert [len(told) for told in said] == [0, 1, 0, 1, 0, 0]
    events = rows("SELECT summary FROM agent_action_audit_log WHERE event = 'budget.threshold' ORDER BY sequence")
    assert [summary for (summary,) in events] == [
        "usd of the org a month: 50 % reached, 5 USD of 10 USD are spent",
        "usd of the org a month: 80 % reached, 9.5 USD of 10 USD are spent",
    ]
    assert len([record for record in caplog.records if "reached" in record.getMessage()]) == 2
    with system_session() as session:
        assert verify_chain(org_id, session=session)[1] is None


def test_thresholds_passed_at_once_are_each_noticed(org_id: UUID) -> None:
    _set("2", "--unit", "calls", "--notice-at", "50", "--notice-at", "100")
    for step in ("a", "b"):
        _call(org_id, add_run(org_id), "0.1", step)

    assert note_thresholds() == [
        "calls of the org in total: 50 % reached, 2 calls of 2 calls are spent",
        "calls of the org in total: 100 % reached, 2 calls of 2 calls are spent",
    ]


def test_usage_adds_up_exactly_by_every_dimension(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    for team, cost, step in (("design", "0.12345678", "a"), ("design", "0.00000001", "b"), (None, "0.5", "c")):
        _call(org_id, add_run(org_id, team=team), cost, step, team=team)
    _call(other, add_run(other), "7")
    # One that was released: no call.
    end(begin(org_id, add_run(org_id), "1", "d"), "0")
    _correct(org_id, "-0.02345678")

    everything = _usage("--by", "org", "--by", "team")
    assert [(row["org"], row["team"], row["calls"], row["usd"]) for row in everything["rows"]] == [
        ("demo", "design", 2, "0.10000001"),
        ("demo", "(none)", 1, "0.50000000"),
        ("other", "(none)", 1, "7.00000000"),
    ]
    ((exact,),) = rows("SELECT sum(amount_usd) FROM usage_entries WHERE kind IN ('settle', 'correct')")
    for by in ("org", "team", "entrypoint", "agent", "engine", "day"):
        total = _usage("--by", by)["total"]
        assert (Decimal(total["usd"]), total["calls"], total["input_tokens"]) == (exact, 4, 4000)
    assert [row["engine"] for row in _usage("--org", "demo")["rows"]] == ["writer"]
    assert _usage("--org", "demo", "--until", "2026-01-01")["rows"] == []


def _correct(org_id: UUID, amount: str) -> None:
    ((invocation_id, run_id),) = rows("SELECT id, run_id FROM agent_invocations WHERE step_id = 'a' AND cost_usd < 1")
    call = PastCall.model_validate(
        {
            "invocation_id": invocation_id,
            "org_id": org_id,
            "org": "demo",
            "run_id": run_id,
            "step_id": "a",
            "attempt": 1,
            "engine": "claude_cli",
            "started_at": datetime.now(UTC),
            "status": "completed",
            "error_kind": None,
            "model": None,
            "raw_usage": None,
            "price_snapshot": None,
            "settled_usd": 0,
            "corrected_usd": 0,
        }
    )
    with org_session(org_id) as session:
        budgets.correct(call, Decimal(amount), "a list", session=session)


def test_a_correction_moves_the_budgets_in_which_the_call_was_counted(org_id: UUID) -> None:
    day, calls = add_budget(org_id, "2", period=BudgetPeriod.DAY), add_budget(org_id, "9", unit=BudgetUnit.CALLS)
    _call(org_id, add_run(org_id), "0.5")
    _correct(org_id, "1.6")

    assert (standing(day).spent, standing(day).left) == (Decimal("2.1"), Decimal("-0.1"))
    assert standing(calls).spent == 1


def test_usage_is_a_table_csv_and_a_chart(org_id: UUID, tmp_path: Path) -> None:
    for step, cost in (("a", "0.25"), ("b", "0.5")):
        _call(org_id, add_run(org_id), cost, step)
    rows("UPDATE agent_invocations SET agent_name = '=agent ' || step_id RETURNING id")
    png = tmp_path / "usage.png"

    table = _run(usage, "--by", "agent", "--png", str(png))
    assert "total" in table
    assert "0.75000000" in table
    assert Image.open(BytesIO(png.read_bytes())).format == "PNG"
    lines = list(csv.DictReader(StringIO(_run(usage, "--by", "agent", "--csv"))))
    # A name that looks like a formula stays a name in a spreadsheet.
    assert [(line["agent"], line["usd"]) for line in lines] == [
        ("'=agent a", "0.25000000"),
        ("'=agent b", "0.50000000"),
    ]
    drawn = _run(usage, "--by", "agent", "--chart").splitlines()
    assert [line.split()[-2:] for line in drawn[1:]] == [["0.5", "USD"], ["0.25", "USD"]]
    assert drawn[1].count("█") > drawn[2].count("█") > 0
