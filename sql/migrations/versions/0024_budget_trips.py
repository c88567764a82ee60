"""A call is counted in all its budgets at once.

Revision ID: 0024
Revises: 0023
"""

from pathlib import Path

from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add them."""
    # The raw cursor: a colon or percent sign in the file means itself.
    op.get_bind().connection.cursor().execute((Path(__file__).parent / "0024_budget_trips.sql").read_text())


def downgrade() -> None:
    """Refuse: the ledger is append-only history."""
    raise NotImplementedError("the ledger cannot be downgraded; restore a backup instead")
