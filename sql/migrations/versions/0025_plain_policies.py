"""Walls without a query of their own.

Revision ID: 0025
Revises: 0024
"""

from pathlib import Path

from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Put them in plain words."""
    # The raw cursor: a colon or percent sign in the file means itself.
    op.get_bind().connection.cursor().execute((Path(__file__).parent / "0025_plain_policies.sql").read_text())


def downgrade() -> None:
    """Refuse: the ledger is append-only history."""
    raise NotImplementedError("the ledger cannot be downgraded; restore a backup instead")
