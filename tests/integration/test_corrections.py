"""What past calls cost is recomputed, and corrected by adding entries."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from console.prices import prices
from maos.errors import BadInput
from sql import budgets
from sql.audit import verify_chain
from sql.budgets import RunCaps
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tests.gates import rows
from tests.past_calls import BEGUN, add_call
from tests.rows import add_run

ENTRIES = "SELECT kind, number, amount_usd FROM usage_entries ORDER BY recorded_at, number"
FAILED: dict[str, Any] = {"status": "failed", "output": None}


def _recompute(*options: str) -> dict[str, Any]:
    done = CliRunner().invoke(prices, ["recompute", "--json", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


def _run_with_cap(org_id: UUID) -> UUID:
    run_id = add_run(org_id, rehearsal=False)
    with org_session(org_id) as session:
        budgets.add_run_caps(run_id, RunCaps(usd=Decimal(10)), org_id=org_id, session=session)
    return run_id


def _cost(org_id: UUID, run_id: UUID) -> Decimal:
    with org_session(org_id) as session:
        return budgets.cost_of_run(run_id, session=session)


def test_differences_are_shown_and_nothing_is_written(org_id: UUID) -> None:
    run_id = _run_with_cap(org_id)
    call = add_call(org_id, run_id)
    add_call(org_id, run_id, "0.003", step="same")

    found = _recompute()

    (shown,) = found.pop("calls")
    assert found == {"looked_at": 2, "differ_by_usd": "-0.002", "written": None}
    assert shown.pop("price_list").startswith("genai-prices ")
    assert shown == {
        "invocation_id": str(call),
        "org": "demo",
        "run_id": str(run_id),
        "step_id": "act",
        "attempt": 1,
        "started_at": "2026-11-01T12:00:00+00:00",
        "model": "claude-sonnet-5-5",
        "finding": "differs",
        "counted_usd": "0.005",
        "now_usd": "0.003",
        "difference": "-0.002",
    }
    assert rows("SELECT count(*) FROM usage_entries WHERE kind = 'correct'") == [(0,)]
    assert rows("SELECT count(*) FROM agent_action_audit_log") == [(0,)]


def test_correcting_adds_an_entry_and_changes_none(org_id: UUID) -> None:
    run_id = _run_with_cap(org_id)
    add_call(org_id, run_id)
    before = rows("SELECT i.*, d.* FROM agent_invocations i JOIN invocation_vendor_details d ON d.invocation_id = i.id")

    assert _recompute("--apply")["written"] == {"entries": 1, "usd": "-0.002"}
    assert rows(ENTRIES) == [
        ("reserve", 1, Decimal(1)),
        ("settle", 1, Decimal("0.005")),
        ("correct", 1, Decimal("-0.002")),
    ]
    assert rows("SELECT reserved, spent FROM budget_standings") == [(0, Decimal("0.003"))]
    assert _cost(org_id, run_id) == Decimal("0.003")
    after = rows("SELECT i.*, d.* FROM agent_invocations i JOIN invocation_vendor_details d ON d.invocation_id = i.id")
    assert after == before


def test_each_corrected_run_has_one_audit_row_in_the_chain(org_id: UUID) -> None:
    run_id, other = _run_with_cap(org_id), _run_with_cap(org_id)
    add_call(org_id, run_id)
    add_call(org_id, run_id, "0.001", step="more")
    add_call(org_id, other, "0.004")

    _recompute("--apply")

    audited = rows("SELECT run_id, event, actor, was_automatic, summary FROM agent_action_audit_log ORDER BY sequence")
    assert {row[:4] for row in audited} == {(each, "cost.corrected", "maos", False) for each in (run_id, other)}
    assert len(audited) == 2
    assert dict((row[0], row[4].split(";")[0]) for row in audited) == {
        run_id: "+0.00000000 USD for 2 calls, 0.00600000 USD in all",
        other: "-0.00100000 USD for 1 call, 0.00300000 USD in all",
    }
    with system_session() as session:
        assert verify_chain(org_id, session=session) == (2, None)


def test_correcting_again_changes_nothing(org_id: UUID) -> None:
    run_id = _run_with_cap(org_id)
    add_call(org_id, run_id)
    _recompute("--apply")
    entries = rows(ENTRIES)

    again = _recompute("--apply")

    assert again == {"looked_at": 1, "differ_by_usd": "0", "written": {"entries": 0, "usd": "0"}, "calls": []}
    assert rows(ENTRIES) == entries
    assert rows("SELECT count(*) FROM agent_action_audit_log") == [(1,)]


def test_a_call_that_was_corrected_to_what_is_no_longer_true_is_corrected_once_more(org_id: UUID) -> None:
    run_id = _run_with_cap(org_id)
    call = add_call(org_id, run_id)
    _add_entry(org_id, run_id, call, amount="0.001", price_list="'a list between'")

    _recompute("--apply")

    assert rows(ENTRIES)[2:] == [("correct", 1, Decimal("0.001")), ("correct", 2, Decimal("-0.003"))]
    assert _cost(org_id, run_id) == Decimal("0.003")


def test_of_callers_at_the_same_time_one_corrects(org_id: UUID) -> None:
    run_id = _run_with_cap(org_id)
    for number in range(5):
        add_call(org_id, run_id, step=f"s{number}")

    with ThreadPoolExecutor(6) as pool:
        written = list(pool.map(lambda _: _recompute_in_thread(), range(6)))

    assert sum(written) == 5
    assert _cost(org_id, run_id) == Decimal("0.015")
    assert rows("SELECT spent FROM budget_standings") == [(Decimal("0.015"),)]
    assert rows("SELECT count(*) FROM agent_action_audit_log") == [(1,)]


def _recompute_in_thread() -> int:
    # Not through the runner: it takes over the process's output.
    from sql.corrections import CallFilter
    from tasks.corrections import correct_costs, review_costs

    return len(correct_costs(review_costs(CallFilter())))


@pytest.mark.parametrize(
    ("detail", "changes", "finding"),
    [
        ({"model": "claude-sonnet-9"}, {}, "unpriced"),
        ({}, {}, "no_usage"),
        ({"raw_usage": None}, FAILED | {"error_kind": "overloaded"}, "no_usage"),
        ({"raw_usage": {"images": 1}}, {}, "no_usage"),
        (None, {"engine_type": "gemini_image"}, "no_usage"),
        ({"price_snapshot": None}, FAILED | {"error_kind": "interrupted"}, "cut_short"),
    ],
)
def test_what_is_not_known_better_is_listed_and_left_alone(
    org_id: UUID, detail: dict[str, object] | None, changes: dict[str, Any], finding: str
) -> None:
    add_call(org_id, _run_with_cap(org_id), detail=detail, **changes)

    found = _recompute("--apply")

    assert [(call["finding"], call["counted_usd"], call["now_usd"]) for call in found["calls"]] == [
        (finding, "0.005", None)
    ]
    assert found["written"] == {"entries": 0, "usd": "0"}


def test_a_whole_answer_that_counts_at_its_ceiling_is_corrected_once_its_model_has_a_price(org_id: UUID) -> None:
    run_id = _run_with_cap(org_id)
    add_call(org_id, run_id, "1", detail={"price_snapshot": None})

    _recompute("--apply")

    assert _cost(org_id, run_id) == Decimal("0.003")


def test_rehearsals_and_services_and_calls_under_way_are_not_looked_at(org_id: UUID) -> None:
    run_id = _run_with_cap(org_id)
    add_call(org_id, run_id, step="rehearsed", rehearsal=True)
    add_call(org_id, run_id, "0", step="service", token_cost_estimate=Decimal(0))
    add_call(org_id, run_id, step="running", status="running", output=None, completed_at=None)

    assert _recompute("--apply")["looked_at"] == 0


def test_only_the_calls_that_are_asked_for_are_corrected(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    for org in (org_id, other):
        run_id = _run_with_cap(org)
        for day in range(3):
            add_call(org, run_id, step=f"s{day}", started_at=BEGUN + timedelta(days=day))

    found = _recompute("--org", "other", "--since", "2026-11-01T12:00:01", "--until", "2026-11-03T12:00:00", "--apply")

    assert found["looked_at"] == 1
    corrected = rows(
        "SELECT i.org_id, i.step_id FROM usage_entries u JOIN agent_invocations i ON i.id = u.invocation_id "
        "WHERE u.kind = 'correct'"
    )
    assert corrected == [(other, "s1")]
    assert _recompute()["differ_by_usd"] == "-0.01"


def test_an_organisation_that_does_not_exist_is_bad_input(org_id: UUID) -> None:  # noqa: ARG001
    with pytest.raises(BadInput, match="org"):
        _recompute("--org", "nobody")


def test_a_budget_that_is_younger_than_the_call_is_not_brought_below_nothing(org_id: UUID) -> None:
    run_id = add_run(org_id, rehearsal=False)
    add_call(org_id, run_id)
    with org_session(org_id) as session:
        budgets.add_run_caps(run_id, RunCaps(usd=Decimal(10)), org_id=org_id, session=session)

    _recompute("--apply")

    assert rows("SELECT spent FROM budget_standings") == [(0,)]


def _add_entry(
    org_id: UUID, run_id: UUID, call: UUID, *, kind: str = "correct", number: int = 1, amount: str, price_list: str
) -> None:
    with org_session(org_id) as session:
        session.execute(
            text(
                "INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, number, amount_usd, price_list, "
                f"recorded_at) VALUES ('{org_id}', '{run_id}', '{call}', '{kind}', {number}, {amount}, {price_list}, "
                "now())"
            )
        )


@pytest.mark.parametrize(
    ("entry", "constraint"),
    [
        ({"kind": "settle", "amount": "1", "price_list": "NULL"}, "invocation_id_kind_number_key"),
        ({"kind": "settle", "amount": "1", "number": 2, "price_list": "NULL"}, "only_corrections_are_numbered"),
        ({"kind": "release", "amount": "-1", "price_list": "NULL"}, "amount_usd_check"),
        ({"kind": "release", "amount": "1", "price_list": "'x'"}, "corrections_name_their_prices"),
        ({"kind": "correct", "amount": "0", "price_list": "'x'"}, "amount_usd_check"),
        ({"kind": "correct", "amount": "1", "price_list": "NULL"}, "corrections_name_their_prices"),
        ({"kind": "correct", "amount": "1", "number": 0, "price_list": "'x'"}, "number_check"),
        ({"kind": "gift", "amount": "1", "price_list": "NULL"}, "kind_check"),
    ],
)
def test_the_database_refuses_an_entry_that_does_not_add_up(
    org_id: UUID, entry: dict[str, Any], constraint: str
) -> None:
    run_id = _run_with_cap(org_id)
    call = add_call(org_id, run_id)

    with pytest.raises(IntegrityError, match=constraint):
        _add_entry(org_id, run_id, call, **entry)


def test_people_read_a_table_and_a_sentence(org_id: UUID) -> None:
    add_call(org_id, _run_with_cap(org_id))

    shown = CliRunner().invoke(prices, ["recompute"], catch_exceptions=False).output
    written = CliRunner().invoke(prices, ["recompute", "--apply"], catch_exceptions=False).output

    assert "differs" in shown
    assert shown.endswith("1 calls looked at; they differ by -0.002 USD in all. Nothing was written.\n")
    assert written.endswith("1 correcting entries in 1 runs written, -0.002 USD.\n")
