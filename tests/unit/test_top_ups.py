"""The forecast of a run that is out of budget, and what is proposed."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from maos.approval_policy import ApprovalPolicy, DecidingRole, Group, Stage
from maos.approvals import Approval
from maos.budgets import EVER, Amounts, BudgetScope, BudgetUnit, Hold
from maos.canonical import digest_of
from maos.top_ups import (
    RemainingStep,
    Shortage,
    forecast_of,
    proposed_top_up,
    that_fit,
    top_up_as_markdown,
    top_up_payload,
    who_tops_up,
)

HISTORY = {"write": [Amounts(usd=Decimal(n), tokens=1000 * n, calls=2) for n in range(1, 21)]}


def _step(name: str, action: str = "write", *, so_far: int = 0, at_most: int = 50) -> RemainingStep:
    return RemainingStep(step_id=name, action=action, so_far=Decimal(so_far), at_most=Decimal(at_most))


def _shortage(needed: str, left: str, unit: BudgetUnit = BudgetUnit.USD, **fields: object) -> Shortage:
    known: dict[str, object] = {
        "step_id": "a",
        "hold": Hold(budget="b", unit=unit, period=EVER, amount=Decimal(needed)),
        "scope": BudgetScope.RUN,
        "scope_id": "r",
        "period": "total",
        "limit": Decimal(10),
        "spent": Decimal(8),
        "reserved": Decimal(1),
        "left": Decimal(left),
    }
    return Shortage.model_validate(known | fields)


@pytest.mark.parametrize(
    ("unit", "p50", "p95"),
    [(BudgetUnit.USD, 20, 38), (BudgetUnit.TOKENS, 20_000, 38_000), (BudgetUnit.CALLS, 4, 4)],
)
def test_each_remaining_step_takes_what_past_ones_of_its_action_took(unit: BudgetUnit, p50: int, p95: int) -> None:
    forecast = forecast_of([_step("a"), _step("b")], HISTORY, unit)

    assert (forecast.p50, forecast.p95, forecast.steps, forecast.past_steps, forecast.unknown) == (p50, p95, 2, 20, ())


def test_what_a_step_has_taken_already_it_does_not_take_again() -> None:
    assert forecast_of([_step("a", so_far=8)], HISTORY, BudgetUnit.USD).p50 == 2
    assert forecast_of([_step("a", so_far=100)], HISTORY, BudgetUnit.USD).p95 == 0


def test_a_step_of_which_nothing_is_known_counts_at_its_most_and_is_named() -> None:
    forecast = forecast_of([_step("a"), _step("new", "draw")], HISTORY, BudgetUnit.USD)

    assert (forecast.p50, forecast.p95, forecast.past_steps, forecast.unknown) == (60, 69, 20, ("new",))
    assert "`new`" in top_up_as_markdown(_shortage("2", "1"), forecast, Decimal(1))


@pytest.mark.parametrize(
    ("needed", "left", "others", "unit", "proposed"),
    [
        ("2", "1", [], "usd", "1.00"),
        ("2.00000001", "1", [], "usd", "1.01"),
        ("2", "1", [_step("b")], "usd", "20.00"),
        ("1", "-3", [], "usd", "4.00"),
        ("5001", "4000", [], "tokens", "2000"),
        ("1", "0", [_step("b")], "calls", "3"),
    ],
)
def test_the_call_fits_and_the_others_have_what_they_are_forecast_to_take(
    needed: str, left: str, others: list[RemainingStep], unit: str, proposed: str
) -> None:
    kind = BudgetUnit(unit)
    amount = proposed_top_up(_shortage(needed, left, kind), forecast_of(others, HISTORY, kind))

    assert amount == Decimal(proposed)


def test_shared_budgets_are_the_owners_and_the_cap_of_a_run_any_reviewers() -> None:
    asked = ApprovalPolicy()

    assert who_tops_up(BudgetScope.RUN, asked).roles == frozenset(DecidingRole)
    for scope in (BudgetScope.ORG, BudgetScope.TEAM, BudgetScope.AGENT):
        assert who_tops_up(scope, asked).roles == {DecidingRole.OWNER}


def test_whatever_the_policy_says_owners_can_top_up_what_is_shared_and_nobody_tops_up_their_own_run() -> None:
    reviewers = Stage(name="two of them", groups=(Group(roles=frozenset({DecidingRole.REVIEWER}), needed=2),))
    asked = ApprovalPolicy(stages=(reviewers,), self_approval=True, codes_required=True, version=3, rejections_needed=2)
    shared, own = who_tops_up(BudgetScope.ORG, asked), who_tops_up(BudgetScope.RUN, asked)

    assert [group.roles for stage in shared.stages for group in stage.groups] == [{DecidingRole.OWNER}]
    assert (shared.approvals_needed, shared.rejections_needed) == (1, 1)
    assert (own.stages, own.rejections_needed) == ((reviewers,), 2)
    for policy in (shared, own):
        assert (policy.self_approval, policy.codes_required, policy.version) == (False, True, 3)


def test_the_digest_binds_the_budget_the_period_and_the_amount() -> None:
    first = top_up_payload(_shortage("2", "1"), Decimal(1), run_attempt=1)
    other_day = Hold(budget="b", unit=BudgetUnit.USD, period=date(2026, 11, 28), amount=Decimal(2))
    others = [
        top_up_payload(_shortage("2", "1"), Decimal(2), run_attempt=1),
        top_up_payload(_shortage("2", "1"), Decimal(1), run_attempt=2),
        top_up_payload(_shortage("2", "1", hold=other_day), Decimal(1), run_attempt=1),
    ]

    assert digest_of(first) not in {digest_of(other) for other in others}


def test_the_question_says_which_budget_what_is_spent_and_from_how_much_the_forecast_is() -> None:
    day = Hold(budget="b", unit=BudgetUnit.USD, period=date(2026, 11, 28), amount=Decimal(2))
    shortage = _shortage("2", "1", hold=day, scope=BudgetScope.TEAM, scope_id="design", period="day")
    shown = top_up_as_markdown(shortage, forecast_of([_step("a")], HISTORY, BudgetUnit.USD), Decimal("1.50"))

    assert "the budget of the team design of the day from 2026-11-28" in shown
    for row in ("| spent | 8 USD |", "p50 | 10 USD |", "p95 | 19 USD |", "| **top up by** | **1.5 USD** |"):
        assert row in shown
    assert "for 1 step, from 20 past steps of the same actions" in shown


def _question(budget: UUID, next_call: str | None) -> Approval:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    return Approval.model_validate(
        {
            "id": uuid4(),
            "org_id": uuid4(),
            "run_id": uuid4(),
            "step_id": "(budget)",
            "action": "top_up_budget",
            "engine": "internal_service",
            "title": "",
            "preview": "",
            "payload": {"budget": str(budget)} | ({"next_call": next_call} if next_call else {}),
            "digest": "0" * 64,
            "risk": "medium",
            "cost_ceiling_usd": 0,
            "policy": ApprovalPolicy(),
            "initiator": "author@demo.example",
            "started_at": now,
            "expires_at": now,
            "status": "pending",
            "kind": "budget",
        }
    )


def test_as_many_questions_fit_as_their_calls_fit_beside_each_other() -> None:
    one, other, gone = uuid4(), uuid4(), uuid4()
    asked = [
        _question(one, "3"),
        _question(one, "3.00000001"),
        _question(other, "1"),
        _question(one, "2"),
        _question(one, "1.00000001"),
        _question(one, None),
        _question(gone, "0.1"),
    ]

    assert that_fit(asked, {one: Decimal(6), other: Decimal(1)}) == [asked[0], asked[2], asked[3]]
    assert that_fit(asked, {one: Decimal(-1), other: Decimal(0)}) == []
