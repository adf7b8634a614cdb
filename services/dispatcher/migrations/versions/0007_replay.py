"""Try dead letters once more: `replay` says which of a campaign's, and how far that is."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROLE = "permesso_dispatcher"


def upgrade() -> None:
    """Make the table, close it by brand, and let the service's role in."""
    op.execute("""
CREATE TABLE dispatcher.replay (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    statuses text[] NOT NULL,
    reasons text[],
    -- The last message that was looked at; ids are in the order of time.
    cursor uuid NOT NULL,
    queued bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (brand_id, id)
)
""")
    op.execute("CREATE INDEX replay_campaign ON dispatcher.replay (brand_id, campaign_id, id)")
    op.execute("ALTER TABLE dispatcher.replay ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dispatcher.replay FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY one_brand ON dispatcher.replay USING "
        "(brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON dispatcher.replay TO {ROLE}")


def downgrade() -> None:
    """Take it away: what waits again goes on."""
    op.execute("DROP TABLE dispatcher.replay")
