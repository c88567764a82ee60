"""Calls that were made, paid for and recorded at a time of the test's choice, written as the application would."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel import Session

from sql.session import org_session
from sql.tables import AgentInvocation, UsageEntry
from tests.rows import invocation

MAY, JUNE, JULY = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (5, 6, 7))


def add_billed(org_id: UUID, run_id: UUID, cost: str, *, at: datetime, step: str = "act", **changes: Any) -> UUID:
    """Add a call that was settled then; return its id."""
    with org_session(org_id) as session:
        row = call(org_id, run_id, cost, at=at, step=step, **changes)
        session.add(row)
        session.flush()
        add_entries(row, at=at, session=session)
    return row.id


def call(org_id: UUID, run_id: UUID, cost: str, *, at: datetime, step: str = "act", **changes: Any) -> AgentInvocation:
    """Return a call that has ended and is not written yet."""
    row = invocation(org_id, run_id, "100", step)
    fields: dict[str, Any] = {
        "status": "completed",
        "output": {},
        "started_at": at,
        "completed_at": at,
        "input_tokens": 1000,
        "output_tokens": 500,
        "cost_usd": Decimal(cost),
    }
    for name, value in (fields | changes).items():
        setattr(row, name, value)
    return row


def add_entries(row: AgentInvocation, *, at: datetime, session: Session) -> None:
    """Add what a call that has ended has in the ledger."""
    for kind, amount in (("reserve", row.token_cost_estimate), ("settle", row.cost_usd)):
        session.add(entry(row.org_id, row.run_id, row.id, kind, amount, at=at))
    session.flush()


def entry(
    org_id: UUID, run_id: UUID, call_id: UUID, kind: str, amount: Decimal, *, at: datetime, number: int = 1
) -> UsageEntry:
    """Return an entry that is not written yet."""
    return UsageEntry(
        org_id=org_id,
        run_id=run_id,
        invocation_id=call_id,
        kind=kind,
        number=number,
        amount_usd=amount,
        price_list="a newer list" if kind == "correct" else None,
        recorded_at=at,
    )


def add_correction(org_id: UUID, run_id: UUID, call_id: UUID, amount: str, *, at: datetime, number: int = 1) -> None:
    """Correct what a call cost."""
    with org_session(org_id) as session:
        session.add(entry(org_id, run_id, call_id, "correct", Decimal(amount), at=at, number=number))
