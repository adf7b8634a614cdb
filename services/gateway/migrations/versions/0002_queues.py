"""Find the rows of one person's queue, so that they can be emptied when the person is erased."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.execute("CREATE INDEX inbox_person ON gateway.inbox (brand_id, person)")


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP INDEX gateway.inbox_person")
