"""Find the receipts that came before the settlement of what they are about: there are few."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make an index of the unmatched ones alone."""
    op.execute(
        "CREATE INDEX receipt_unmatched ON dispatcher.receipt (brand_id, account_id, platform_id)"
        " WHERE message_id IS NULL"
    )


def downgrade() -> None:
    """Take the index away."""
    op.execute("DROP INDEX dispatcher.receipt_unmatched")
