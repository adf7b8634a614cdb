"""The registry's first tables.

Tenant tables carry `brand_id` first in every key and are closed by row-level security. `feed`,
`feed_arrival` and `expiry` hold ids alone, of all brands: through them followers and workers find
what there is to do, and read the rest under the brand. Addresses are in collation "C": pages go by
their order, and it must be the same on every machine, and in Python.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

TENANT = """
CREATE TABLE consent.brand (
    brand_id uuid PRIMARY KEY,
    name text NOT NULL,
    country text NOT NULL,
    languages text[] NOT NULL,
    timezone text NOT NULL
);
CREATE TABLE consent.account (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    channel text NOT NULL,
    PRIMARY KEY (brand_id, id)
);
CREATE TABLE consent.person (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    language text,
    timezone text,
    tags text[] NOT NULL DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, id)
);
CREATE TABLE consent.identity (
    brand_id uuid NOT NULL,
    channel text NOT NULL,
    address text COLLATE "C" NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (brand_id, channel, address)
);
CREATE INDEX identity_person ON consent.identity (brand_id, person_id);
CREATE TABLE consent.address (
    brand_id uuid NOT NULL,
    account_id uuid NOT NULL,
    address text COLLATE "C" NOT NULL,
    person_id uuid NOT NULL,
    blocked_at timestamptz,
    seen_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, account_id, address)
);
CREATE INDEX address_person ON consent.address (brand_id, person_id);
"""

LEDGER = """
CREATE TABLE consent.event (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    action text NOT NULL
        CHECK (action IN ('grant', 'revoke', 'block', 'unblock', 'seen', 'expire')),
    account_id uuid NOT NULL,
    channel text NOT NULL,
    address text COLLATE "C" NOT NULL,
    person_id uuid NOT NULL,
    purpose text NOT NULL,
    scope text NOT NULL,
    held_scope text NOT NULL CHECK (held_scope IN ('purpose', 'account', 'channel', 'brand')),
    purposes text[] NOT NULL,
    sealed bytea NOT NULL,
    platform_at timestamptz,
    recorded_at timestamptz NOT NULL,
    expires_at timestamptz,
    outcome text NOT NULL CHECK (outcome IN ('granted', 'revoked', 'unchanged')),
    reason text,
    PRIMARY KEY (brand_id, id),
    UNIQUE (brand_id, seq)
);
CREATE INDEX event_person ON consent.event (brand_id, person_id, seq);
CREATE FUNCTION consent.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger only grows' USING ERRCODE = '42501'; END $$;
CREATE TRIGGER event_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON consent.event
    FOR EACH STATEMENT EXECUTE FUNCTION consent.refuse_change();
CREATE TABLE consent.state (
    brand_id uuid NOT NULL,
    account_id uuid NOT NULL,
    purpose text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    status text NOT NULL CHECK (status IN ('granted', 'revoked', 'expired')),
    blocked boolean NOT NULL DEFAULT false,
    event_id uuid NOT NULL,
    seq bigint NOT NULL,
    since timestamptz NOT NULL,
    expires_at timestamptz,
    person_id uuid NOT NULL,
    PRIMARY KEY (brand_id, account_id, purpose, address)
);
CREATE INDEX state_person ON consent.state (brand_id, person_id);
CREATE TABLE consent.denial (
    brand_id uuid NOT NULL,
    person_id uuid NOT NULL,
    reach text NOT NULL CHECK (reach IN ('account', 'channel', 'brand')),
    target text NOT NULL,
    purpose text NOT NULL,
    platform_at timestamptz NOT NULL,
    seq bigint NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (brand_id, person_id, reach, target, purpose)
);
"""

WORK = """
CREATE TABLE consent.feed_arrival (
    seq bigint PRIMARY KEY,
    brand_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL
);
CREATE TABLE consent.feed (
    cursor bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    brand_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL CHECK (type IN ('consent.granted', 'consent.revoked', 'consent.expired'))
);
CREATE TABLE consent.expiry (
    event_id uuid PRIMARY KEY,
    brand_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX expiry_due ON consent.expiry (expires_at);
"""

# What the service may do, table by table. It can add to the ledger and never change it.
RIGHTS = {
    "brand": "SELECT, INSERT, UPDATE",
    "account": "SELECT, INSERT, UPDATE",
    "person": "SELECT, INSERT, UPDATE",
    "identity": "SELECT, INSERT",
    "address": "SELECT, INSERT, UPDATE",
    "event": "SELECT, INSERT",
    "state": "SELECT, INSERT, UPDATE, DELETE",
    "denial": "SELECT, INSERT, UPDATE",
    "feed_arrival": "SELECT, INSERT, DELETE",
    "feed": "SELECT, INSERT",
    "expiry": "SELECT, INSERT, UPDATE, DELETE",
}
CLOSED = ("brand", "account", "person", "identity", "address", "event", "state", "denial")


def upgrade() -> None:
    """Make the tables, close them by brand, and let the service's role in."""
    for script in (TENANT, LEDGER, WORK):
        for statement in filter(str.strip, script.split(";\n")):
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
    """There is nothing before the first step."""
    op.execute("DROP SCHEMA consent CASCADE")
