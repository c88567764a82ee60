"""What past steps took: money after corrections, tokens, calls."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal_column, tuple_
from sqlalchemy import select as columns
from sqlmodel import Session, col

from maos.budgets import Amounts
from maos.statuses import InvocationStatus
from sql.tables import TOKENS, AgentInvocation, UsageEntry

_LATEST = 200


@dataclass(frozen=True)
class StepCost:
    """What one step took, all its calls together."""

    run_id: UUID
    step_id: str
    action: str
    amounts: Amounts


def past_costs(org_id: UUID, actions: Collection[str], *, session: Session) -> dict[str, list[Amounts]]:
    """Return what the latest completed steps of each action took in an organisation; rehearsals are none."""
    found: defaultdict[str, list[Amounts]] = defaultdict(list)
    for action in sorted(actions):
        latest = (
            columns(col(AgentInvocation.run_id), col(AgentInvocation.step_id))
            .where(
                col(AgentInvocation.org_id) == org_id,
                col(AgentInvocation.action) == action,
                col(AgentInvocation.status) == InvocationStatus.COMPLETED,
                ~col(AgentInvocation.rehearsal),
                col(AgentInvocation.token_cost_estimate) > 0,
            )
            .order_by(col(AgentInvocation.started_at).desc())
            .limit(_LATEST)
        )
        steps = tuple_(col(AgentInvocation.run_id), col(AgentInvocation.step_id)).in_(latest)
        found[action] = [cost.amounts for cost in _step_costs(steps, session=session)]
    return found


def costs_of_run(run_id: UUID, *, session: Session) -> dict[str, Amounts]:
    """Return what each step of a run has taken so far."""
    steps = _step_costs(col(AgentInvocation.run_id) == run_id, session=session)
    return {cost.step_id: cost.amounts for cost in steps}


def _step_costs(which: ColumnElement[bool], *, session: Session) -> list[StepCost]:
    call, entry = AgentInvocation, UsageEntry
    # A call has one entry that settles it; its tokens must not be added up again with every correction.
    settled = func.count().filter(col(entry.kind) == "settle")
    statement = (
        columns(
            col(call.run_id),
            col(call.step_id),
            col(call.action),
            func.sum(entry.amount_usd),
            func.coalesce(func.sum(TOKENS).filter(col(entry.kind) == "settle"), literal_column("0")),
            settled,
        )
        .join(entry, col(entry.invocation_id) == col(call.id))
        .where(which, col(entry.kind).in_(("settle", "correct")))
        .group_by(col(call.run_id), col(call.step_id), col(call.action))
    )
    return [
        StepCost(run_id, step_id, action, Amounts(usd=Decimal(usd), tokens=int(tokens), calls=calls))
        for run_id, step_id, action, usd, tokens, calls in session.execute(statement)
    ]
