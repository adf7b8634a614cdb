"""A key for each person, and what stays of them when it is destroyed.

The personal half of every line of the ledger is under the key of its person, and that key is one
row here. Delete the row, and no half of theirs can be opened again, while the log still verifies.
So the address leaves the ledger's plain columns; `event.person_id` stays, a random number that
leads to nobody once the rows that know a person are gone.

`suppression` outlives a person: a keyed hash of an address, and the no that must hold if that
address is ever met again.
"""

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

TABLES = """
CREATE TABLE consent.person_key (
    brand_id uuid NOT NULL,
    person_id uuid NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, person_id)
);
CREATE TABLE consent.suppression (
    brand_id uuid NOT NULL,
    hash bytea NOT NULL,
    reach text NOT NULL CHECK (reach IN ('account', 'channel', 'brand')),
    target text NOT NULL,
    purpose text NOT NULL,
    platform_at timestamptz NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, hash, reach, target, purpose)
);
ALTER TABLE consent.event DROP COLUMN address;
CREATE INDEX state_ends ON consent.state (brand_id, event_id) WHERE expires_at IS NOT NULL;
"""
RIGHTS = {
    "person_key": "SELECT, INSERT, UPDATE, DELETE",
    "suppression": "SELECT, INSERT, UPDATE",
    "person": "DELETE",
    "identity": "DELETE",
    "address": "DELETE",
    "denial": "DELETE",
}
CLOSED = ("person_key", "suppression")
REFUSED = (
    "consent.event holds lines whose personal half is under the service's keys and could never be"
    " destroyed for one person. Export what you need (permesso consent ledger), and begin with an"
    " empty database."
)


def upgrade() -> None:
    """Make the tables and drop the plain addresses; refuse where lines were written before."""
    # The owner is under the policies too, and would see an empty table.
    op.execute("ALTER TABLE consent.event NO FORCE ROW LEVEL SECURITY")
    if op.get_bind().execute(text("SELECT EXISTS (SELECT FROM consent.event)")).scalar():
        raise RuntimeError(REFUSED)
    op.execute("ALTER TABLE consent.event FORCE ROW LEVEL SECURITY")
    for statement in filter(str.strip, TABLES.split(";\n")):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON consent.{table} TO {ROLE}")
    for table in CLOSED:
        op.execute(f"ALTER TABLE consent.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE consent.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_brand ON consent.{table}"
            " USING (brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
        )


def downgrade() -> None:
    """Lines of the ledger cannot be taken back, and so neither can this."""
    raise NotImplementedError("lines under the keys of persons cannot be put under others")
