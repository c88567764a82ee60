"""Runs of images that are out of budget, in the ledger alone."""

from decimal import Decimal
from uuid import UUID

import pytest

from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.errors import BudgetExceeded
from maos.images import MAX_OUTPUT_TOKENS
from maos.plans import Plan, PlanStep
from maos.runs import Run
from sql import budgets
from sql.budgets import RunCaps
from sql.session import org_session
from sql.tables import AgentInvocation
from tasks.approvals import decide
from tasks.ledger import find_run
from tests.rows import add_run, invocation

# By the list, and without a persona.
CEILING = (Decimal(len("A lighthouse") + 2048) / 2 + MAX_OUTPUT_TOKENS * 60) / 1_000_000


def image_run(org_id: UUID, *steps: str, cap: str | None = None) -> Run:
    """Add a run that has images to make, with a cap of its own where one is given."""
    plan = Plan(steps=tuple(_image(name) for name in steps))
    run_id = add_run(org_id, plan=plan.model_dump(mode="json"), plan_digest=plan.digest, rehearsal=False)
    if cap:
        with org_session(org_id) as session:
            budgets.add_run_caps(run_id, RunCaps(usd=Decimal(cap)), org_id=org_id, session=session)
    run = find_run(run_id)
    assert run is not None
    return run


def _image(name: str) -> PlanStep:
    return PlanStep.model_validate(
        {
            "id": name,
            "agent": "painter",
            "engine": "gemini_image",
            "action": "create_image",
            "parameters": {"prompt": "A lighthouse"},
        }
    )


def begin_image(run: Run, step: str, ceiling: Decimal = CEILING) -> AgentInvocation:
    """Write the call for an image with what it sets aside."""
    row = invocation(run.org_id, run.id, f"{ceiling}", step)
    row.action, row.agent_name = "create_image", "painter"
    with org_session(run.org_id) as session:
        session.add(row)
        session.flush()
        budgets.reserve(row, session=session)
    return row


def refused_image(run: Run, step: str) -> BudgetExceeded:
    """Return why the call for an image does not fit."""
    with pytest.raises(BudgetExceeded) as refused:
        begin_image(run, step)
    return refused.value


def decide_question(question: Approval, decision: Decision, by: str) -> Approval:
    """Decide a question on the command line."""
    note = "no" if decision is Decision.REJECT else None
    request = DecisionRequest(decision=decision, reviewer=by, note=note, via=DecisionPath.COMMAND_LINE)
    return decide(question.id, request)
