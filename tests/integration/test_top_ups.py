"""A run that is out of budget keeps its work, asks for more, and goes on; or ends as its plan says."""

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from httpx import HTTPStatusError
from prefect.client.orchestration import get_client

from blocks.gemini_image import GeminiImageEngine
from console.approval_view import show
from console.budgets import budgets as budgets_command
from maos.approvals import ApprovalKind
from maos.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from maos.images import MAX_OUTPUT_TOKENS
from maos.plans import PlanStep
from tasks.budgets import top_up
from tasks.overdue import keep_queue
from tasks.policies import store_policy
from tasks.reconciliation import reconcile
from tests.budgets import add_budget, standing
from tests.gates import OWNER, REVIEWER, answer_form, only_run_id, pending, rows, wait_for, wait_for_form
from tests.gemini_server import GeminiServer
from tests.plans import AT_ONCE, Bench, Beside, step

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


def _short_run(bench: Bench, server: GeminiServer) -> Beside:
    """Begin a run whose image does not fit into its cap; return when it asks for more."""
    bench.plan(_image("one"))
    server.will_draw()
    beside = bench.run_beside(cost_cap_usd="0.01")
    wait_for_form()
    return beside


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


def _form() -> str:
    """Return what the Resume form of the one run shows, as the Prefect UI reads it."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(only_run_id()).state
        keyset = state and state.state_details.run_input_keyset
        # The state is set before the form is.
        with suppress(HTTPStatusError):
            path = f"/flow_runs/{only_run_id()}/input/{keyset['description']}" if keyset else "/health"
            return str(client.request("GET", path).json())
    return ""


def test_the_form_and_the_command_show_what_is_spent_and_what_the_run_takes_to_its_end(
    bench: Bench, server: GeminiServer
) -> None:
    bench.plan(_image("one"), _image("two", "one"), _image("three", "two"))
    server.will_draw()
    beside = bench.run_beside(cost_cap_usd=CEILING)
    question = wait_for_form()
    form = wait_for(lambda: (text := _form()) and "top up by" in text and text)
    shown = CliRunner().invoke(show, [str(question.id)], catch_exceptions=False).output.replace("**", "")

    one, rest = f"{COST.normalize():f} USD", f"{2 * COST.normalize():f} USD"
    for name, value in (("spent", one), ("to finish the run, p50", rest), ("to finish the run, p95", rest)):
        assert f"| {name} | {value} |" in form
        (line,) = [line for line in shown.splitlines() if line.strip().startswith(f"{name} ")]
        assert value in line
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="enough")
    assert beside.end().is_failed()


def _cap_of_run() -> BudgetKey:
    owner = str(only_run_id())
    return BudgetKey(scope=BudgetScope.RUN, owner=owner, unit=BudgetUnit.USD, period=BudgetPeriod.TOTAL)


@pytest.mark.parametrize("change", [("top-up", "--amount", "1"), ("set", "--limit", "1")])
def test_a_run_goes_on_at_once_when_its_budget_is_raised_by_command(
    bench: Bench, server: GeminiServer, monkeypatch: pytest.MonkeyPatch, prefect_api: str, change: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    bench.plan(step("before", text="before"), _image("one", "before"))
    server.will_draw()
    beside = bench.run_beside(cost_cap_usd="0.01")
    wait_for_form()
    which = ("--org", "demo", "--scope", "run", "--name", str(only_run_id()), "--as", OWNER)
    done = CliRunner().invoke(budgets_command, [change[0], *which, *change[1:]], catch_exceptions=False)

    assert done.output.splitlines()[1:] == [f"run {only_run_id()}: its call fits, it goes on"]
    assert beside.end().is_completed()
    assert bench.effects == ["before"]
    assert rows("SELECT status, decision, decided_by, consumed_at FROM agent_pending_actions") == [
        ("cancelled", None, OWNER, None)
    ]
    assert rows("SELECT count(*) FROM agent_action_votes") == [(0,)]
    assert rows("SELECT spent, reserved FROM budget_standings") == [(COST, 0)]


def test_a_run_that_the_command_could_not_wake_is_woken_by_housekeeping(
    bench: Bench, server: GeminiServer, org_id: UUID
) -> None:
    beside = _short_run(bench, server)
    # The command died before it told Prefect.
    top_up(_cap_of_run(), Decimal(1), person=OWNER, org_id=org_id)
    wait_for(lambda: any("woken" in said for said in reconcile()))

    assert beside.end().is_completed()


def test_housekeeping_also_wakes_a_run_whose_form_shows_something_else_that_is_open(
    bench: Bench, server: GeminiServer, org_id: UUID
) -> None:
    bench.plan(_image("one"), step("act", "note_high", text="acted"))
    server.will_draw()
    beside = bench.run_beside(cost_cap_usd="0.01")
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE status = 'paused'") and len(pending()) == 2)
    top_up(_cap_of_run(), Decimal(1), person=OWNER, org_id=org_id)
    wait_for(lambda: (keep_queue(), server.requests)[1])

    assert [each.step_id for each in pending()] == ["act"]
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert beside.end().is_completed()


def test_a_run_goes_on_when_housekeeping_finds_room_that_nobody_told_it_of(
    bench: Bench, server: GeminiServer, org_id: UUID
) -> None:
    budget = add_budget(org_id, "0")
    bench.plan(_image("one"))
    server.will_draw()
    beside = bench.run_beside()
    wait_for_form()
    rows(f"UPDATE budget_shares SET left_amount = 1 WHERE budget_id = '{budget}' RETURNING share")
    said = reconcile()

    assert said[0] == f"run {only_run_id()}: its next call fits into its budget again"
    assert beside.end().is_completed()
    assert rows("SELECT status, decided_by FROM agent_pending_actions") == [("cancelled", "maos")]


def test_an_answer_to_a_form_whose_question_has_ended_decides_nothing(
    bench: Bench, server: GeminiServer, org_id: UUID
) -> None:
    beside = _short_run(bench, server)
    top_up(_cap_of_run(), Decimal(1), person=OWNER, org_id=org_id)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="too late")

    assert beside.end().is_completed()
    assert rows("SELECT status, decided_by FROM agent_pending_actions") == [("cancelled", OWNER)]
