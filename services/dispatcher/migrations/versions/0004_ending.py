"""Keep what pictures became for each platform, and what becomes of messages whose story is over.

`ending` has a row for each campaign whose story ends: how far its messages are listed, and the
counts of what became of them. `taking_back` has a row for each of those messages.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROLE = "permesso_dispatcher"
CHANGES = (
    "ALTER TABLE dispatcher.media ADD COLUMN codec text, ADD COLUMN sound text",
    """
CREATE TABLE dispatcher.media_fit (
    brand_id uuid NOT NULL,
    media_id uuid NOT NULL,
    limits text NOT NULL,
    fitted_id uuid NOT NULL,
    PRIMARY KEY (brand_id, media_id, limits)
)
""",
    """
CREATE TABLE dispatcher.ending (
    brand_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    expires_after integer NOT NULL,
    begun_at timestamptz,
    list_cursor jsonb,
    listed boolean NOT NULL DEFAULT false,
    messages bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    replaced bigint NOT NULL DEFAULT 0,
    kept jsonb NOT NULL DEFAULT '{}',
    ended_at timestamptz,
    PRIMARY KEY (brand_id, campaign_id)
)
""",
    """
CREATE TABLE dispatcher.taking_back (
    brand_id uuid NOT NULL,
    message_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    account_id uuid NOT NULL,
    over_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    outcome text CHECK (outcome IN ('deleted', 'replaced', 'kept', 'unsent')),
    reason text,
    done_at timestamptz,
    PRIMARY KEY (brand_id, message_id)
)
""",
    # An account's in the order in which they are due, and a campaign's for its own end.
    "CREATE INDEX taking_back_due ON dispatcher.taking_back (brand_id, account_id, due_at)"
    " WHERE outcome IS NULL",
    "CREATE INDEX taking_back_campaign ON dispatcher.taking_back (brand_id, campaign_id, due_at)"
    " WHERE outcome IS NULL",
)
TABLES = ("media_fit", "ending", "taking_back")


def upgrade() -> None:
    """Make the tables, close them by brand, and let the service's role in."""
    for change in CHANGES:
        op.execute(change)
    for table in TABLES:
        op.execute(f"ALTER TABLE dispatcher.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE dispatcher.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY one_brand ON dispatcher.{table} USING "
            "(brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON dispatcher.{table} TO {ROLE}")


def downgrade() -> None:
    """Take them away: what was ended stays ended."""
    for table in TABLES:
        op.execute(f"DROP TABLE dispatcher.{table}")
    op.execute("ALTER TABLE dispatcher.media DROP COLUMN codec, DROP COLUMN sound")
