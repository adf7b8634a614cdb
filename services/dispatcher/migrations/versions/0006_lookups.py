"""Indexes of a part of their table, for what is looked for in it.

`receipt_unmatched` finds the receipts that came before the settlement of what they are about: there
are few. `slip_campaign` has slips of campaigns alone, so that no claim is planned by it.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.execute(
        "CREATE INDEX receipt_unmatched ON dispatcher.receipt (brand_id, account_id, platform_id)"
        " WHERE message_id IS NULL"
    )
    op.execute("DROP INDEX dispatcher.slip_campaign")
    op.execute(
        "CREATE INDEX slip_campaign ON dispatcher.slip (brand_id, queue_id)"
        " WHERE queue_id <> '00000000-0000-0000-0000-000000000000'"
    )


def downgrade() -> None:
    """Take them away."""
    op.execute("DROP INDEX dispatcher.receipt_unmatched")
    op.execute("DROP INDEX dispatcher.slip_campaign")
    op.execute("CREATE INDEX slip_campaign ON dispatcher.slip (brand_id, queue_id)")
