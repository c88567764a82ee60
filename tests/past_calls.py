"""Calls of the writer that were made and paid for, as the application would have written them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sql import budgets
from sql.session import org_session
from sql.tables import AgentInvocation, InvocationVendorDetail
from tests.rows import invocation

# 0.003 USD by the price list.
USAGE = {"input_tokens": 1000, "output_tokens": 100, "inference_geo": "global"}
MODEL = "claude-sonnet-5-5"
BEGUN = datetime(2026, 11, 1, 12, tzinfo=UTC)


def add_call(
    org_id: UUID,
    run_id: UUID,
    cost: str = "0.005",
    *,
    step: str = "act",
    detail: dict[str, Any] | None = None,
    **changes: Any,
) -> UUID:
    """Add a settled call of the writer; return its id."""
    row = invocation(org_id, run_id, "1", step)
    fields: dict[str, Any] = {"status": "completed", "output": {}, "started_at": BEGUN, "completed_at": BEGUN}
    with org_session(org_id) as session:
        session.add(row)
        session.flush()
        budgets.reserve(row, session=session)
        _change(row, fields | changes | {"cost_usd": Decimal(cost)})
        session.flush()
        budgets.settle(row, session=session)
        if detail is None or detail:
            known: dict[str, Any] = {"model": MODEL, "raw_usage": USAGE, "price_snapshot": "an older list"}
            session.add(InvocationVendorDetail(invocation_id=row.id, org_id=org_id, **(known | (detail or {}))))
    return row.id


def _change(row: AgentInvocation, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
