"""Pauses: asked for and with an end, or doubtful and with a review that has a clock.

A state carries the latest end of the pauses that cover it, so that a check stays one statement.
`pause_due` holds ids of all brands and nothing else: through it the worker finds what has an end.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

TABLES = """
ALTER TABLE consent.state ADD COLUMN paused_until timestamptz;
CREATE TABLE consent.pause (
    brand_id uuid NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('asked', 'doubtful')),
    reach text NOT NULL CHECK (reach IN ('account', 'channel', 'brand')),
    target text NOT NULL,
    until timestamptz NOT NULL,
    platform_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    seq bigint NOT NULL,
    scope text NOT NULL,
    account_id uuid NOT NULL,
    address text COLLATE "C" NOT NULL,
    PRIMARY KEY (brand_id, person_id, kind, reach, target)
);
CREATE UNIQUE INDEX pause_event ON consent.pause (brand_id, event_id);
CREATE TABLE consent.review (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    seq bigint NOT NULL,
    person_id uuid NOT NULL,
    account_id uuid NOT NULL,
    address text COLLATE "C" NOT NULL,
    scope text NOT NULL,
    asked boolean NOT NULL,
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    decided_at timestamptz,
    decision text CHECK (decision IN ('revoke', 'resume')),
    decided_by text,
    PRIMARY KEY (brand_id, id),
    UNIQUE (brand_id, seq),
    CHECK ((decided_at IS NULL) = (decision IS NULL))
);
CREATE INDEX review_person ON consent.review (brand_id, person_id, opened_at);
CREATE INDEX review_open ON consent.review (brand_id, seq) WHERE decided_at IS NULL;
CREATE TABLE consent.pause_due (
    event_id uuid PRIMARY KEY,
    brand_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('asked', 'doubtful')),
    due_at timestamptz NOT NULL
);
CREATE INDEX pause_due_at ON consent.pause_due (due_at)
"""

RIGHTS = {
    "pause": "SELECT, INSERT, UPDATE, DELETE",
    "review": "SELECT, INSERT, UPDATE, DELETE",
    "pause_due": "SELECT, INSERT, DELETE",
}
CLOSED = ("pause", "review")


def upgrade() -> None:
    """Make the tables, close them by brand, and let the service's role in."""
    for statement in TABLES.split(";\n"):
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
    """The ledger knows of pauses, and cannot be made to forget them."""
    raise NotImplementedError("a pause that is not kept would be broken")
