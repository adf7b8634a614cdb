"""Merges: which persons a brand said are one, and what it takes to take them apart again.

A merged person keeps their row and their lines, and has no address: `merged_into` says who has.
`moved` and `added` are personal, and go with the person.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

TABLES = """
ALTER TABLE consent.person ADD COLUMN merged_into uuid;
CREATE INDEX person_merged ON consent.person (brand_id, merged_into) WHERE merged_into IS NOT NULL;
CREATE TABLE consent.merge (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    kept_id uuid NOT NULL,
    gone_id uuid NOT NULL,
    moved jsonb NOT NULL,
    added jsonb NOT NULL,
    at timestamptz NOT NULL,
    split_at timestamptz,
    PRIMARY KEY (brand_id, id)
);
CREATE INDEX merge_kept ON consent.merge (brand_id, kept_id) WHERE split_at IS NULL;
ALTER TABLE consent.merge ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent.merge FORCE ROW LEVEL SECURITY;
CREATE POLICY of_brand ON consent.merge
    USING (brand_id = nullif(current_setting('app.brand', true), '')::uuid);
"""


def upgrade() -> None:
    """Make the table, close it by brand, and let addresses change hands."""
    for statement in filter(str.strip, TABLES.split(";\n")):
        op.execute(statement)
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON consent.merge TO {ROLE}")
    op.execute(f"GRANT UPDATE ON consent.identity TO {ROLE}")


def downgrade() -> None:
    """Lines of the ledger cannot be taken back, and so neither can this."""
    raise NotImplementedError("the ledger may hold lines that only this version knows")
