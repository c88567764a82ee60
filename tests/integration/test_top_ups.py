"""A run that is out of budget keeps its work, asks for more, and goes on; or ends as its plan says."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from blocks.gemini_image import GeminiImageEngine
from maos.approvals import ApprovalKind
from maos.budgets import BudgetScope, BudgetUnit
from maos.images import MAX_OUTPUT_TOKENS
from maos.plans import PlanStep
from tasks.policies import store_policy
from tests.budgets import add_budget, standing
from tests.gates import OWNER, REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.gemini_server import GeminiServer
from tests.plans import AT_ONCE, Bench, step

_PATIENCE_SECONDS = 180
KEY = "gateway.canary+9b1c"
# What an image of the local server costs, and what one could cost.
COST = Decimal("0.067446")
CEILING = (Decimal(len("Paint.\n\nA lighthouse") + 2048) / 2 + MAX_OUTPUT_TOKENS * 60) / 1_000_000


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:  # noqa: ARG001
    GeminiImageEngine(timeout_seconds=120).save("default", overwrite=True)
    with GeminiServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_GEMINI_API_KEY", KEY)
        monkeypatch.setenv("MAOS_GEMINI_BASE_URL", running.url)
        yield running


@pytest.fixture
def bench(server: GeminiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:  # noqa: ARG001
    return Bench(monkeypatch, tmp_path)


def _image(name: str, *after: str, **fields: object) -> PlanStep:
    return PlanStep.model_validate(
        {
            "id": name,
            "agent": {"name": "painter", "persona": "Paint."},
            "engine": "gemini_image",
            "action": "create_image",
            "parameters": {"prompt": "A lighthouse"},
            "after": after,
            "retry": AT_ONCE.model_copy(update={"attempts": 1}),
            **fields,
        }
    )


def _asked() -> str:
    """Wait for the question, and return what it shows."""
    (question,) = wait_for(pending, _PATIENCE_SECONDS)
    assert question.kind is ApprovalKind.BUDGET
    return question.preview


def test_a_run_that_is_out_of_budget_keeps_its_work_and_goes_on_when_it_is_topped_up(
    bench: Bench, server: GeminiServer
) -> None:
    bench.plan(step("before", text="before"), _image("one", "before"), _image("two", "one"))
    server.will_draw()
    server.will_draw()
    beside = bench.run_beside(cost_cap_usd=CEILING)
    shown = _asked()

    assert bench.effects == ["before"]
    assert len(server.requests) == 1
    assert f"| spent | {COST.normalize():f} USD |" in shown
    assert "from 1 past step of the same actions" in shown
    assert f"| to finish the run, p50 | {COST.normalize():f} USD |" in shown
    # The call's ceiling is missing but for what the first one left of its own.
    assert "| **top up by** | **0.07 USD** |" in shown
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert beside.end().is_completed()
    assert len(server.requests) == 2
    assert bench.effects == ["before"]
    assert rows("SELECT limit_amount - :cap, reserved, spent FROM budget_standings".replace(":cap", f"{CEILING}")) == [
        (Decimal("0.07"), 0, 2 * COST)
    ]
    assert rows("SELECT actor, step_id, summary FROM agent_action_audit_log WHERE event = 'budget.topped_up'") == [
        (REVIEWER, "two", f"raised by 0.07 USD to {CEILING + Decimal('0.07'):f} USD")
    ]


def test_what_a_reviewer_refuses_fails_the_step_as_its_plan_says(bench: Bench, server: GeminiServer) -> None:
    bench.plan(step("note", text="note"), _image("one", "note", on_failure="skip"))
    beside = bench.run_beside(cost_cap_usd="0.01")
    _asked()
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="not worth it")

    assert beside.end().is_failed()
    assert server.requests == []
    assert rows("SELECT status, error_kind FROM agent_invocations WHERE step_id = 'one'") == [("failed", "budget")]
    assert rows("SELECT limit_amount, reserved, spent FROM budget_standings") == [(Decimal("0.01"), 0, 0)]
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(1,)]


def test_a_budget_that_others_share_is_topped_up_by_an_owner_alone(
    bench: Bench, server: GeminiServer, org_id: UUID
) -> None:
    store_policy(org_id, "teams:\n  design: {}\n", person=OWNER, reason="there is a team")
    team = add_budget(org_id, "0", scope=BudgetScope.TEAM, owner="design", unit=BudgetUnit.CALLS)
    bench.plan(_image("one"))
    server.will_draw()
    beside = bench.run_beside(team="design")
    shown = _asked()

    assert "the budget of the team design" in shown
    assert "| left | 0 calls |" in shown
    ((notified,),) = rows("SELECT array_agg(DISTINCT address) FROM approval_notices")
    assert notified == [OWNER]
    answer_form(only_run_id(), decision="approve", reviewer=OWNER)
    assert beside.end().is_completed()
    assert (standing(team).limit, standing(team).spent, standing(team).reserved) == (1, 1, 0)


def test_steps_side_by_side_wait_for_what_their_neighbours_give_back_before_anybody_is_asked(
    bench: Bench, server: GeminiServer
) -> None:
    names = ("one", "two", "three")
    bench.plan(*(_image(name) for name in names))
    for _ in names:
        server.will_draw()

    # All three fit once they are settled; their ceilings do not fit at once.
    assert bench.run(cost_cap_usd=CEILING + 2 * COST, parallelism=3).is_completed()
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(0,)]
    assert rows("SELECT reserved, spent FROM budget_standings") == [(0, 3 * COST)]


def test_beside_a_step_that_waits_for_money_the_others_go_on(
    bench: Bench,
    server: GeminiServer,  # noqa: ARG001 - gives the engine its key
) -> None:
    bench.plan(_image("one"), step("free", text="free"), step("after", text="after", after=("free",)))
    beside = bench.run_beside(call_cap=1, token_cap=5)
    shown = _asked()

    assert "tokens" in shown
    assert bench.effects == ["free", "after"]
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="no")
    assert beside.end().is_failed()
