"""Asking for more of a budget that a call did not fit into, and raising it once when a person says so."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from uuid import UUID

from maos.approval_policy import ApprovalPolicy
from maos.approvals import Approval, ApprovalKind
from maos.audit import AuditEvent
from maos.budgets import Amounts, BudgetScope, BudgetUnit, Hold
from maos.canonical import digest_of
from maos.engines import EngineType
from maos.errors import BudgetExceeded
from maos.frontier import has_failed, level_in
from maos.notices import BUDGET_RISK
from maos.policy import approval_policy
from maos.risk import Amount, RiskFacts
from maos.runs import Ledger, Run
from maos.statuses import ApprovalStatus
from maos.top_ups import (
    OUT_OF_BUDGET,
    Forecast,
    RemainingStep,
    Shortage,
    forecast_of,
    proposed_top_up,
    top_up_as_markdown,
    top_up_payload,
    who_tops_up,
)
from sql import approvals, audit, budget_shares, past_costs
from sql.budget_shares import Counter
from sql.budget_standings import standing_of
from tasks.ceilings import planned_ceilings
from tasks.gates import Question, approval_row, write_gate
from tasks.leases import run_session
from tasks.ledger import survey
from tasks.outages import outlasting
from tasks.policies import policy_book
from tasks.rules import rule_book

_REFUSED = frozenset({ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED})


def ask_for_top_up(run: Run, error: BudgetExceeded) -> bool:
    """Ask a person for more of the budget that a call did not fit into, unless somebody is being asked.

    Return False where it is no question: somebody has refused it, or the rules allow the run no more.
    """
    run, ledger = survey(run)
    asked = ledger.approvals.get(OUT_OF_BUDGET)
    if asked and asked.status is ApprovalStatus.PENDING:
        return True
    shortage = _shortage_of(run, error)
    if shortage.hold.amount <= shortage.left:
        # Others have given back what they did not need: it fits by now.
        return True
    if asked and asked.status in _REFUSED and _is_about(asked, shortage, run):
        return False
    forecast, amount = _forecast(run, ledger, shortage)
    most = _most(run, shortage)
    if most is not None and shortage.left + most < shortage.hold.amount:
        return False
    amount = amount if most is None else min(amount, most)
    write_gate(run, approval_row(run, _question(run, shortage, forecast, amount)))
    return True


@outlasting
def _shortage_of(run: Run, error: BudgetExceeded) -> Shortage:
    hold = Hold.model_validate_json(error.hold)
    with run_session(run) as session:
        # A period that begins with a refusal has not begun: that went with the refused call's transaction.
        budget_shares.lock(Counter(UUID(hold.budget), hold.period, run.org_id), session=session)
        now = standing_of(UUID(hold.budget), hold.period, session=session)
    return Shortage(
        step_id=error.step_id,
        hold=hold,
        scope=now.scope,
        scope_id=now.scope_id,
        period=now.period.value,
        limit=now.limit,
        spent=now.spent,
        reserved=now.reserved,
        left=now.left,
    )


def _is_about(asked: Approval, shortage: Shortage, run: Run) -> bool:
    question = top_up_payload(shortage, Decimal(0), run_attempt=run.attempt)
    return all(asked.payload.get(name) == question[name] for name in ("budget", "period", "run_attempt"))


def _most(run: Run, shortage: Shortage) -> Decimal | None:
    """Return by how much the rules let the budget be raised at most; None: by anything."""
    limits = rule_book(run.org_id).rules.limits
    limit = {BudgetUnit.USD: limits.cost_usd, BudgetUnit.CALLS: limits.calls}.get(shortage.hold.unit)
    return None if limit is None or shortage.scope is not BudgetScope.RUN else limit - shortage.limit


@outlasting
def _forecast(run: Run, ledger: Ledger, shortage: Shortage) -> tuple[Forecast, Decimal]:
    """Return what the run takes to its end, and by how much to top up."""
    ceilings = planned_ceilings(run.plan, org_id=run.org_id, rehearsal=run.rehearsal)
    remaining = [step for step in run.plan.steps if step.id in ceilings and not _is_settled(ledger, run, step.id)]
    with run_session(run) as session:
        history = past_costs.past_costs(run.org_id, {step.action for step in remaining}, session=session)
        so_far = past_costs.costs_of_run(run.id, session=session)
    unit = shortage.hold.unit
    steps = [
        RemainingStep(
            step_id=step.id,
            action=step.action,
            so_far=so_far.get(step.id, Amounts()).of(unit),
            at_most=max(ceilings[step.id], shortage.hold.amount) if unit is BudgetUnit.USD else shortage.hold.amount,
        )
        for step in remaining
    ]
    others = [step for step in steps if step.step_id != shortage.step_id]
    return forecast_of(steps, history, unit), proposed_top_up(shortage, forecast_of(others, history, unit))


def _is_settled(ledger: Ledger, run: Run, step_id: str) -> bool:
    failure = ledger.failed.get(step_id)
    failed = failure is not None and has_failed(run.plan.step(step_id), failure)
    return failed or step_id in ledger.finished or step_id in ledger.skipped


def _policy_for(run: Run, shortage: Shortage, amount: Decimal) -> ApprovalPolicy:
    book = policy_book(run.org_id)
    money = Amount(amount=amount, currency="USD") if shortage.hold.unit is BudgetUnit.USD else None
    level = level_in(run, book.policy)
    return approval_policy(book, BUDGET_RISK, RiskFacts(amount=money), level=level, approvers=ApprovalPolicy())


def _question(run: Run, shortage: Shortage, forecast: Forecast, amount: Decimal) -> Question:
    return Question(
        step_id=OUT_OF_BUDGET,
        action="top_up_budget",
        engine=EngineType.INTERNAL_SERVICE,
        title=f"The run is out of budget: top up by {shortage.hold.unit.in_words(amount)}?",
        preview=top_up_as_markdown(shortage, forecast, amount),
        payload=top_up_payload(shortage, amount, run_attempt=run.attempt),
        risk=BUDGET_RISK,
        cost_ceiling_usd=amount if shortage.hold.unit is BudgetUnit.USD else Decimal(0),
        kind=ApprovalKind.BUDGET,
        policy=who_tops_up(shortage.scope, _policy_for(run, shortage, amount)),
    )


@outlasting
def carry_out(run: Run, decision: Approval) -> None:
    """Raise the budget by what the approval names, in the transaction that consumes it: once, whoever repeats it.

    One that has gone out of date, or is not what was approved, is void, and asked about anew when it is needed.
    """
    with run_session(run) as session:
        # This run is locked: nobody else consumes it meanwhile.
        found = approvals.find_approval(decision.id, session=session)
        if found is None or found.consumed_at:
            return
        if digest_of(found.payload) != found.digest or not approvals.consume(found.id, found.digest, session=session):
            approvals.supersede(found.id, session=session)
            return
        unit, amount = BudgetUnit(found.payload["unit"]), Decimal(found.payload["top_up"])
        limit = budget_shares.raise_limit(_counter_of(found.payload, run.org_id), amount, session=session)
        event = AuditEvent(
            event="budget.topped_up",
            actor=found.decided_by or "maos",
            run_id=run.id,
            step_id=found.payload["step"],
            was_automatic=False,
            approval_id=found.id,
            digest=found.digest,
            summary=f"raised by {unit.in_words(amount)} to {unit.in_words(limit)}",
        )
        audit.append_audit(event, org_id=run.org_id, session=session)


def _counter_of(payload: Mapping[str, str], org_id: UUID) -> Counter:
    return Counter(UUID(payload["budget"]), date.fromisoformat(payload["period"]), org_id)
