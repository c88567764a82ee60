"""A call waits for one share of a budget rather than for all of them.

Revision ID: 0021
Revises: 0020
"""

from pathlib import Path

from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add them."""
    # The raw cursor: a colon or percent sign in the file means itself.
    op.get_bind().connection.cursor().execute((Path(__file__).parent / "0021_budget_share_changes.sql").read_text())


def downgrade() -> None:
    """Refuse: the ledger is append-only history."""
    raise NotImplementedError("the ledger cannot be downgraded; restore a backup instead")
