"""Partitions of the audit log that make room for themselves, retention by policy, legal holds, archives.

Revision ID: 0019
Revises: 0017
"""

from pathlib import Path

from alembic import op

revision: str = "0019"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Add them."""
    # The raw cursor: a colon or percent sign in the file means itself.
    op.get_bind().connection.cursor().execute((Path(__file__).parent / "0019_retention.sql").read_text())


def downgrade() -> None:
    """Refuse: the ledger is append-only history."""
    raise NotImplementedError("the ledger cannot be downgraded; restore a backup instead")
