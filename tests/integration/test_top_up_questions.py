"""The question of a run that is out of budget, and what becomes of its answer: the ledger alone, without a flow."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

import pytest

from maos.approvals import ApprovalKind, Decision
from maos.budgets import BudgetPeriod, BudgetScope
from maos.errors import DecisionRefused
from sql.approvals import find_approval
from sql.session import org_session
from tasks.top_ups import ask_for_top_up, carry_out
from tests.budgets import add_budget, end, standing
from tests.gates import OWNER, REVIEWER, pending, rows
from tests.top_ups import CEILING, begin_image, decide_question, image_run, refused_image


def _cap() -> Mapping[str, Decimal]:
    ((limit, spent, reserved),) = rows("SELECT limit_amount, spent, reserved FROM budget_standings")
    return {"limit": limit, "spent": spent, "reserved": reserved}


def test_the_question_shows_what_is_spent_and_what_past_steps_say_of_the_rest(org_id: UUID) -> None:
    before = image_run(org_id, "one")
    for number, cost in enumerate(["0.10", "0.30", "0.20"]):
        end(begin_image(before, f"past{number}"), cost)
    run = image_run(org_id, "one", "two", "three", cap=f"{CEILING}")
    end(begin_image(run, "one"), "0.15")

    assert ask_for_top_up(run, refused_image(run, "two"))
    assert ask_for_top_up(run, refused_image(run, "three"))
    (question,) = pending()
    assert (question.kind, question.step_id) == (ApprovalKind.BUDGET, "(budget)")
    # Two steps are left, at 0.15 or 0.30 each; besides, the call must fit with its ceiling.
    proposed = CEILING + Decimal("0.30") - (CEILING - Decimal("0.15"))
    for row in ("| spent | 0.15 USD |", "p50 | 0.3 USD |", "p95 | 0.6 USD |", f"| **{proposed.normalize():f} USD** |"):
        assert row in question.preview
    assert "for 2 steps, from 4 past steps of the same actions" in question.preview
    assert (question.cost_ceiling_usd, question.payload["top_up"]) == (proposed, "0.45")


def test_what_is_approved_is_raised_once_and_the_call_fits(org_id: UUID) -> None:
    run = image_run(org_id, "one", cap="0.01")
    ask_for_top_up(run, refused_image(run, "one"))
    (question,) = pending()
    approved = decide_question(question, Decision.APPROVE, REVIEWER)
    for _ in range(3):
        carry_out(run, approved)

    assert _cap()["limit"] == Decimal("0.01") + Decimal(str(question.payload["top_up"]))
    end(begin_image(run, "one"), "0.1")
    assert rows("SELECT actor, approval_id FROM agent_action_audit_log WHERE event = 'budget.topped_up'") == [
        (REVIEWER, question.id)
    ]


def test_a_top_up_that_was_changed_after_it_was_asked_raises_nothing(org_id: UUID) -> None:
    run = image_run(org_id, "one", cap="0.01")
    ask_for_top_up(run, refused_image(run, "one"))
    (question,) = pending()
    rows('UPDATE agent_pending_actions SET payload = payload || \'{"top_up": "1000"}\' RETURNING id')
    carry_out(run, decide_question(question, Decision.APPROVE, REVIEWER))

    assert _cap()["limit"] == Decimal("0.01")
    with org_session(org_id) as session:
        found = find_approval(question.id, session=session)
    assert found is not None
    assert (found.status.value, found.consumed_at) == ("cancelled", None)
    # Void, it is asked anew for what is needed.
    assert ask_for_top_up(run, refused_image(run, "one"))
    assert [each.payload["top_up"] for each in pending()] != ["1000"]


def test_what_was_refused_is_not_asked_again_but_another_budget_is(org_id: UUID) -> None:
    run = image_run(org_id, "one", "two", cap="0.01")
    ask_for_top_up(run, refused_image(run, "one"))
    decide_question(pending()[0], Decision.REJECT, REVIEWER)

    assert not ask_for_top_up(run, refused_image(run, "one"))
    assert not ask_for_top_up(run, refused_image(run, "two"))
    rows("UPDATE budgets SET scope_id = 'gone' RETURNING id")
    add_budget(org_id, "0", scope=BudgetScope.AGENT, owner="painter")
    assert ask_for_top_up(run, refused_image(run, "two"))


def test_a_budget_that_others_share_is_the_owners_to_top_up(org_id: UUID) -> None:
    budget = add_budget(org_id, "0.01", period=BudgetPeriod.DAY)
    run = image_run(org_id, "one")
    ask_for_top_up(run, refused_image(run, "one"))
    (question,) = pending()

    assert "the budget of the organisation of the day from 2" in question.preview
    with pytest.raises(DecisionRefused, match="owner"):
        decide_question(question, Decision.APPROVE, REVIEWER)
    carry_out(run, decide_question(question, Decision.APPROVE, OWNER))
    assert standing(budget).limit == Decimal("0.01") + Decimal(str(question.payload["top_up"]))


def test_what_others_have_given_back_meanwhile_is_no_question(org_id: UUID) -> None:
    add_budget(org_id, f"{CEILING}")
    run = image_run(org_id, "one")
    under_way = begin_image(image_run(org_id, "one"), "one")
    error = refused_image(run, "one")
    end(under_way, "0")

    assert ask_for_top_up(run, error)
    assert pending() == []
    begin_image(run, "one")
