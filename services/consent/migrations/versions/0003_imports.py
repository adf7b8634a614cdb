"""Imports: how far each is, and which rows of the file brought no consent.

Of such a row only its number and the reason are kept: without a yes there is no ground to keep the
address.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

TABLES = """
CREATE TABLE consent.import (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    purpose text NOT NULL,
    rows integer NOT NULL DEFAULT 0,
    granted integer NOT NULL DEFAULT 0,
    known integer NOT NULL DEFAULT 0,
    suppressed integer NOT NULL DEFAULT 0,
    quarantined integer NOT NULL DEFAULT 0,
    reasons jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (brand_id, id)
);
CREATE TABLE consent.import_aside (
    brand_id uuid NOT NULL,
    import_id uuid NOT NULL,
    number integer NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (brand_id, import_id, number)
);
"""
ACTIONS = "'grant', 'revoke', 'block', 'unblock', 'seen', 'expire', 'import'"
RIGHTS = {"import": "SELECT, INSERT, UPDATE", "import_aside": "SELECT, INSERT"}


def upgrade() -> None:
    """Make the tables, close them by brand; let the ledger know a new kind of line."""
    for statement in filter(str.strip, TABLES.split(";\n")):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON consent.{table} TO {ROLE}")
        op.execute(f"ALTER TABLE consent.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE consent.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_brand ON consent.{table}"
            " USING (brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
        )
    op.execute("ALTER TABLE consent.event DROP CONSTRAINT event_action_check")
    op.execute(
        f"ALTER TABLE consent.event ADD CONSTRAINT event_action_check CHECK (action IN ({ACTIONS}))"
    )


def downgrade() -> None:
    """Lines of the ledger cannot be taken back, and so neither can this."""
    raise NotImplementedError("the ledger may hold lines that only this version knows")
