"""Walls that the planner reads at once.

Revision ID: 0022
Revises: 0019
"""

from pathlib import Path

from alembic import op

revision: str = "0022"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Put them in words."""
    # The raw cursor: a colon or percent sign in the file means itself.
    op.get_bind().connection.cursor().execute((Path(__file__).parent / "0022_policies.sql").read_text())


def downgrade() -> None:
    """Refuse: the ledger is append-only history."""
    raise NotImplementedError("the ledger cannot be downgraded; restore a backup instead")
