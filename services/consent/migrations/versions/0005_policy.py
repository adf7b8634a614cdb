"""A brand's own rules, beyond what its country asks for."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let each brand have some; none are the ones of its country."""
    op.execute("ALTER TABLE consent.brand ADD COLUMN policy jsonb NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    """Forget them."""
    op.execute("ALTER TABLE consent.brand DROP COLUMN policy")
