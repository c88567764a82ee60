"""The run that services are called for in tests."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from tasks.services.registry import RunFacts

RUN = RunFacts(
    run_id=UUID(int=7),
    org="demo",
    title="Sales",
    initiator="author@demo.example",
    started_at=datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
    rehearsal=True,
    cost_usd=Decimal("0"),
)
