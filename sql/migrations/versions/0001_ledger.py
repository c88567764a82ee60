"""The ledger of the first release.

Revision ID: 0001
Revises:
"""

from pathlib import Path

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the tables, then the walls between tenants."""
    for name in ("0001_ledger.sql", "0001_walls.sql"):
        # The raw cursor: a colon or percent sign in these files means itself.
        op.get_bind().connection.cursor().execute((Path(__file__).parent / name).read_text())


def downgrade() -> None:
    """Refuse: the ledger is append-only history."""
    raise NotImplementedError("the ledger cannot be downgraded; restore a backup instead")
