"""Notices that never change, and the questions that wait for an answer.

A question is deleted when it is answered, and when its person is erased.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

TABLES = """
CREATE TABLE consent.notice (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    purpose text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    language text NOT NULL,
    place integer NOT NULL,
    text text NOT NULL,
    digest text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, id, language),
    UNIQUE (brand_id, purpose, version, language)
);
CREATE TRIGGER notice_never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON consent.notice
    FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse_change();
CREATE TABLE consent.question (
    brand_id uuid NOT NULL,
    account_id uuid NOT NULL,
    address text COLLATE "C" NOT NULL,
    person_id uuid NOT NULL,
    event_id uuid NOT NULL,
    purpose text NOT NULL,
    version text NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (brand_id, account_id, address)
);
CREATE INDEX question_person ON consent.question (brand_id, person_id)
"""
RIGHTS = {"notice": "SELECT, INSERT", "question": "SELECT, INSERT, UPDATE, DELETE"}
STATUSES = ("granted", "pending", "revoked", "expired")


def upgrade() -> None:
    """Make both tables, close them by brand, and let a state be pending."""
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
    listed = ", ".join(f"'{status}'" for status in STATUSES)
    op.execute("ALTER TABLE consent.state DROP CONSTRAINT state_status_check")
    op.execute(
        f"ALTER TABLE consent.state ADD CONSTRAINT state_status_check CHECK (status IN ({listed}))"
    )


def downgrade() -> None:
    """What people were shown is evidence, and is not thrown away."""
    raise NotImplementedError("the ledger may name notices that only this version knows")
