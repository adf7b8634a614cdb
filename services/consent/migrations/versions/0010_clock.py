"""The clock: hours of a person's own, places under caps, and grants that are used up.

`contact` has one row for each person who is under a cap: the last moments at which a message was
let go, and which. `use` remembers which messages took something of a grant that is counted.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

TABLES = """
ALTER TABLE consent.person ADD COLUMN quiet_start time, ADD COLUMN quiet_end time,
    ADD CONSTRAINT person_quiet_whole CHECK ((quiet_start IS NULL) = (quiet_end IS NULL));
CREATE INDEX person_quiet ON consent.person (brand_id) WHERE quiet_start IS NOT NULL;
CREATE INDEX person_zone ON consent.person (brand_id, timezone) WHERE timezone IS NOT NULL;
ALTER TABLE consent.state ADD COLUMN uses_left integer CHECK (uses_left >= 0);
CREATE TABLE consent.contact (
    brand_id uuid NOT NULL,
    person_id uuid NOT NULL,
    at timestamptz[] NOT NULL DEFAULT '{}',
    message_ids uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (brand_id, person_id),
    CHECK (cardinality(at) = cardinality(message_ids))
) WITH (fillfactor = 70);
CREATE TABLE consent.use (
    brand_id uuid NOT NULL,
    message_id uuid NOT NULL,
    event_id uuid NOT NULL,
    person_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, message_id)
);
CREATE INDEX use_person ON consent.use (brand_id, person_id)
"""

RIGHTS = {
    "contact": "SELECT, INSERT, UPDATE, DELETE",
    "use": "SELECT, INSERT, UPDATE, DELETE",
}


def upgrade() -> None:
    """Make the tables, close them by brand, and let the service's role in."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON consent.{table} TO {ROLE}")
        op.execute(f"ALTER TABLE consent.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE consent.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_brand ON consent.{table}"
            " USING (brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
        )


def downgrade() -> None:
    """Messages that were let go cannot be forgotten: the next ones would be too many."""
    raise NotImplementedError("caps that are not kept would be broken")
