"""Questions for more of a budget end by themselves when their calls fit, once, whatever else happens to them."""

import json
import threading
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import pytest
from click.testing import CliRunner

from console.approval_view import show
from console.budgets import budgets as budgets_command
from maos.approvals import Approval, Decision
from maos.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from maos.errors import DecisionRefused
from maos.statuses import ApprovalStatus
from sql.approvals import find_approval
from sql.audit import verify_chain
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from sql.top_ups import lock_questions
from tasks.budget_room import go_on_with_what_fits
from tasks.budgets import set_budget, top_up
from tasks.ledger import find_run
from tasks.top_ups import ask_for_top_up, carry_out
from tests.budgets import add_budget, end, standing
from tests.gates import OWNER, REVIEWER, pending, rows
from tests.top_ups import CEILING, begin_image, decide_question, image_run, refused_image

# West and east of the date line: whatever the time, the two have different dates.
_WEST, _EAST = "Etc/GMT+12", "Pacific/Kiritimati"


def _asked(org_id: UUID, cap: str | None = None) -> tuple[Approval, UUID]:
    """Have a run ask for more; return its question, and its id."""
    run = image_run(org_id, "one", cap=cap)
    assert ask_for_top_up(run, refused_image(run, "one"))
    (question,) = [each for each in pending() if each.run_id == run.id]
    return question, run.id


def _now(question: Approval) -> Approval:
    with org_session(question.org_id) as session:
        found = find_approval(question.id, session=session)
    assert found is not None
    return found


def _statuses(questions: Sequence[Approval]) -> list[str]:
    return [_now(each).status.value for each in questions]


def _of_org(org_id: UUID, period: BudgetPeriod = BudgetPeriod.TOTAL) -> BudgetKey:
    return BudgetKey(scope=BudgetScope.ORG, owner=str(org_id), unit=BudgetUnit.USD, period=period)


def test_a_top_up_by_command_ends_the_question_and_says_who_and_why(org_id: UUID) -> None:
    question, run_id = _asked(org_id, cap="0.01")
    options = ("--org", "demo", "--scope", "run", "--name", str(run_id), "--as", OWNER)
    done = CliRunner().invoke(budgets_command, ["top-up", *options, "--amount", "1"], catch_exceptions=False)

    # Without a server there is nobody to wake it now.
    assert f"run {run_id}: its call fits, it goes on within a minute" in done.output
    now = _now(question)
    assert (now.status, now.decision, now.decided_by, now.decided_via) == ("cancelled", None, OWNER, "command_line")
    why = f"no longer needed: usd of the run {run_id} in total: raised by 1 USD to 1.01 USD"
    assert now.note == why
    assert rows("SELECT event, actor, summary FROM agent_action_audit_log ORDER BY sequence DESC LIMIT 2") == [
        ("approval.cancelled", OWNER, why),
        ("budget.topped_up", OWNER, f"usd of the run {run_id} in total: raised by 1 USD to 1.01 USD"),
    ]
    shown = json.loads(CliRunner().invoke(show, [str(question.id), "--json"], catch_exceptions=False).output)
    assert (shown["status"], shown["decided_by"], shown["note"]) == ("cancelled", OWNER, why)
    with system_session() as session:
        assert verify_chain(org_id, session=session)[1] is None


def test_a_limit_that_is_set_high_enough_ends_it_too_and_one_that_is_not_does_not(org_id: UUID) -> None:
    add_budget(org_id, "0.01")
    question, _ = _asked(org_id)
    too_low = set_budget(_of_org(org_id), CEILING - Decimal("1e-8"), None, person=OWNER, org_id=org_id)

    assert too_low.answered == ()
    assert _statuses([question]) == ["pending"]
    enough = set_budget(_of_org(org_id), CEILING, None, person=OWNER, org_id=org_id)
    assert [each.id for each in enough.answered] == [question.id]
    assert _now(question).note == f"no longer needed: usd of the org in total: {CEILING.normalize():f} USD"


def test_of_the_runs_that_wait_for_a_budget_as_many_go_on_as_fit_the_oldest_first(org_id: UUID) -> None:
    add_budget(org_id, "0")
    questions = [_asked(org_id)[0] for _ in range(4)]
    # Another budget's questions are no concern of this one.
    other, _ = _asked(org_id, cap="0")
    top_up(_of_org(org_id), CEILING * 2 + Decimal("0.01"), person=OWNER, org_id=org_id)

    assert _statuses([*questions, other]) == ["cancelled", "cancelled", "pending", "pending", "pending"]


@pytest.mark.usefixtures("prefect_api")
def test_what_others_give_back_is_found_by_housekeeping(org_id: UUID) -> None:
    add_budget(org_id, f"{CEILING}")
    under_way = begin_image(image_run(org_id, "one"), "one")
    question, run_id = _asked(org_id)
    assert go_on_with_what_fits() == []
    end(under_way, "0")

    assert go_on_with_what_fits() == [f"run {run_id}: its next call fits into its budget again"]
    now = _now(question)
    assert (now.status, now.decided_by, now.decided_via) == ("cancelled", "maos", "system")
    assert now.note == "no longer needed: there is room in the budget again"
    assert go_on_with_what_fits() == []


@pytest.mark.usefixtures("prefect_api")
def test_the_next_day_is_room_too(org_id: UUID) -> None:
    rows(f"UPDATE organizations SET timezone = '{_WEST}' RETURNING id")
    add_budget(org_id, f"{CEILING}", period=BudgetPeriod.DAY)
    end(begin_image(image_run(org_id, "one"), "one"), "0.5")
    question, _ = _asked(org_id)
    assert go_on_with_what_fits() == []
    rows(f"UPDATE organizations SET timezone = '{_EAST}' RETURNING id")
    go_on_with_what_fits()

    assert _statuses([question]) == ["cancelled"]


@pytest.mark.usefixtures("prefect_api")
def test_housekeeping_lets_nobody_go_on_whose_call_does_not_fit(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    add_budget(other, "100")
    budget = add_budget(org_id, f"{CEILING - Decimal('1e-8')}")
    question, _ = _asked(org_id)
    expired, _ = _asked(org_id, cap="0")
    rows(f"UPDATE agent_pending_actions SET expires_at = now() WHERE id = '{expired.id}' RETURNING id")
    # Its call would fit; but its time is up, and what becomes of it then is its policy's to say.
    rows(f"UPDATE budget_shares SET left_amount = 9 WHERE budget_id <> '{budget}' RETURNING share")

    assert go_on_with_what_fits() == []
    assert _statuses([question, expired]) == ["pending", "pending"]


def test_a_question_that_somebody_is_deciding_is_left_to_them(org_id: UUID) -> None:
    add_budget(org_id, "0")
    question, _ = _asked(org_id)
    with org_session(org_id) as deciding:
        assert lock_questions(None, session=deciding)
        changed = top_up(_of_org(org_id), Decimal(100), person=OWNER, org_id=org_id)

    assert changed.answered == ()
    assert _statuses([question]) == ["pending"]


_TRIALS = 12


def test_of_a_decision_and_a_top_up_at_the_same_time_one_ends_the_question(org_id: UUID) -> None:
    ends: Counter[str] = Counter()
    for _ in range(_TRIALS):
        question, run_id = _asked(org_id, cap="0.01")
        start, said = threading.Barrier(2), list[str]()
        key = BudgetKey(scope=BudgetScope.RUN, owner=str(run_id), unit=BudgetUnit.USD, period=BudgetPeriod.TOTAL)

        def by_form(at: Approval = question, start: threading.Barrier = start, said: list[str] = said) -> None:
            start.wait()
            try:
                decide_question(at, Decision.APPROVE, REVIEWER)
            except DecisionRefused as refused:
                said.append(refused.reason)

        form = threading.Thread(target=by_form)
        form.start()
        start.wait()
        answered = top_up(key, Decimal(1), person=OWNER, org_id=org_id).answered
        form.join()
        now = _now(question)
        ends[now.status.value] += 1

        assert now.status in {ApprovalStatus.APPROVED, ApprovalStatus.CANCELLED}
        assert bool(answered) == bool(said) == (now.status is ApprovalStatus.CANCELLED)
        if said:
            assert f"already cancelled by {OWNER} at " in said[0]
        events = rows(
            f"SELECT event FROM agent_action_audit_log WHERE approval_id = '{question.id}' "
            "AND event IN ('approval.approved', 'approval.cancelled')"
        )
        assert events == [(f"approval.{now.status.value}",)]
    assert sum(ends.values()) == _TRIALS


def test_a_withdrawn_question_raises_nothing_even_for_who_saw_it_open(org_id: UUID) -> None:
    question, run_id = _asked(org_id, cap="0.01")
    run = find_run(run_id)
    assert run is not None
    key = BudgetKey(scope=BudgetScope.RUN, owner=str(run_id), unit=BudgetUnit.USD, period=BudgetPeriod.TOTAL)
    top_up(key, Decimal(1), person=OWNER, org_id=org_id)
    with pytest.raises(DecisionRefused, match="already cancelled"):
        decide_question(question, Decision.APPROVE, REVIEWER)
    carry_out(run, question)

    assert standing(UUID(str(question.payload["budget"]))).limit == Decimal("1.01")


def test_a_run_that_was_let_go_on_in_vain_asks_again(org_id: UUID) -> None:
    add_budget(org_id, "0")
    run = image_run(org_id, "one")
    error = refused_image(run, "one")
    assert ask_for_top_up(run, error)
    top_up(_of_org(org_id), CEILING, person=OWNER, org_id=org_id)
    # Another call has taken the room meanwhile.
    begin_image(image_run(org_id, "one"), "one")

    assert ask_for_top_up(run, refused_image(run, "one"))
    assert [each.run_id for each in pending()] == [run.id]
