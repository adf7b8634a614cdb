"""A log for each brand: a Merkle tree over its events, with signed checkpoints.

`log_leaf`, `log_node` and `log_checkpoint` only grow, for the service's role and, by a trigger, for
the tables' owner. `log_arrival` and `log_head` hold ids, sizes and moments alone, of all brands:
through them the notary finds what there is to do. A trigger notes each new event, so that none can
be written around the log.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

EVENT = """
ALTER TABLE consent.event ADD COLUMN commitment bytea;
CREATE TABLE consent.log_arrival (
    brand_id uuid NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (brand_id, seq)
);
CREATE FUNCTION consent.note_arrival() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO consent.log_arrival (brand_id, seq, event_id)
    SELECT brand_id, seq, id FROM arrived; RETURN NULL; END $$;
CREATE TRIGGER event_arrives AFTER INSERT ON consent.event
    REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION consent.note_arrival();
ALTER TABLE consent.event NO FORCE ROW LEVEL SECURITY;
INSERT INTO consent.log_arrival (brand_id, seq, event_id)
    SELECT brand_id, seq, id FROM consent.event;
ALTER TABLE consent.event FORCE ROW LEVEL SECURITY;
"""

LOG = """
CREATE TABLE consent.log_leaf (
    brand_id uuid NOT NULL,
    number bigint NOT NULL,
    event_id uuid NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (brand_id, number),
    UNIQUE (brand_id, event_id)
);
CREATE TABLE consent.log_node (
    brand_id uuid NOT NULL,
    level smallint NOT NULL CHECK (level > 0),
    number bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (brand_id, level, number)
);
CREATE TABLE consent.log_checkpoint (
    brand_id uuid NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    id uuid NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (brand_id, size),
    UNIQUE (brand_id, id)
);
CREATE TABLE consent.log_head (
    brand_id uuid PRIMARY KEY,
    size bigint NOT NULL,
    checkpoint_id uuid NOT NULL,
    told_size bigint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX log_head_untold ON consent.log_head (due_at) WHERE size > told_size;
ALTER TABLE consent.feed DROP CONSTRAINT feed_type_check;
ALTER TABLE consent.feed ADD CONSTRAINT feed_type_check CHECK (type IN
    ('consent.granted', 'consent.revoked', 'consent.expired', 'ledger.checkpoint'));
"""

RIGHTS = {
    "log_arrival": "SELECT, INSERT, DELETE",
    "log_leaf": "SELECT, INSERT",
    "log_node": "SELECT, INSERT",
    "log_checkpoint": "SELECT, INSERT",
    "log_head": "SELECT, INSERT, UPDATE",
}
ONLY_GROW = ("log_leaf", "log_node", "log_checkpoint")


def upgrade() -> None:
    """Make the tables, let what is there arrive, and close what may only grow."""
    for script in (EVENT, LOG):
        for statement in filter(str.strip, script.split(";\n")):
            op.execute(statement)
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON consent.{table} TO {ROLE}")
    for table in ONLY_GROW:
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE"
            f" ON consent.{table} FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse_change()"
        )
        op.execute(f"ALTER TABLE consent.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE consent.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_brand ON consent.{table}"
            " USING (brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
        )


def downgrade() -> None:
    """A log that was signed is not taken back."""
    raise NotImplementedError("what was signed and seen by others cannot be taken back")
