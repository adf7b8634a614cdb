"""The gateway's first tables.

`account`, `inbox` and `idempotency` belong to brands and are closed by row-level security. `brand`,
`api_key`, `route` and `work` are small reference tables without personal data: through them the
gateway finds out whose request or whose turn it is before it can name the brand.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE gateway.brand (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    country text NOT NULL,
    languages text[] NOT NULL,
    timezone text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE gateway.api_key (
    id uuid PRIMARY KEY,
    brand_id uuid NOT NULL,
    name text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_key_brand ON gateway.api_key (brand_id, id);
CREATE TABLE gateway.route (
    account_id uuid PRIMARY KEY,
    brand_id uuid NOT NULL,
    channel text NOT NULL,
    secret bytea NOT NULL
);
CREATE TABLE gateway.account (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    channel text NOT NULL,
    name text NOT NULL,
    settings jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (brand_id, id)
);
CREATE TABLE gateway.inbox (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    channel text NOT NULL,
    dedupe text NOT NULL,
    person bigint NOT NULL,
    request jsonb NOT NULL,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'new',
    attempts integer NOT NULL DEFAULT 0,
    reason text,
    events jsonb,
    done_at timestamptz,
    PRIMARY KEY (brand_id, id),
    UNIQUE (brand_id, account_id, dedupe),
    CONSTRAINT inbox_state CHECK (state IN ('new', 'done', 'dead'))
);
CREATE TABLE gateway.work (
    slice smallint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    brand_id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    person bigint NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    tries smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (slice, person, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX work_due ON gateway.work (slice, due_at, seq);
CREATE TABLE gateway.slice (
    number smallint PRIMARY KEY,
    owner uuid,
    lease_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO gateway.slice (number) SELECT generate_series(0, 15);
CREATE TABLE gateway.member (
    id uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
CREATE TABLE gateway.idempotency (
    brand_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    resource_id uuid NOT NULL,
    done boolean NOT NULL DEFAULT false,
    locked_until timestamptz NOT NULL,
    status smallint,
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (brand_id, route, key)
);
CREATE INDEX idempotency_age ON gateway.idempotency (brand_id, created_at);
"""

# Only rows that were really put in become work: a webhook that was stored before has been, or will
# be, handled once. The transition table knows which, and keeps their order. What a brand's own call
# put in comes first: somebody waits for the answer.
PUT_TO_WORK = """
CREATE FUNCTION gateway.put_to_work() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
BEGIN
    INSERT INTO gateway.work (slice, brand_id, inbox_id, person, due_at)
    SELECT (person & 15)::smallint, brand_id, id, person,
           CASE channel WHEN 'api' THEN '-infinity'::timestamptz ELSE now() END
    FROM stored;
    RETURN NULL;
END
$body$
"""
TRIGGER = """
CREATE TRIGGER put_to_work AFTER INSERT ON gateway.inbox
REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION gateway.put_to_work()
"""

TENANT_TABLES = ("account", "inbox", "idempotency")
REFERENCE_TABLES = ("brand", "api_key", "route", "work", "slice", "member")


def upgrade() -> None:
    """Make the tables, close them by brand, and let the two roles in."""
    for statement in filter(str.strip, TABLES.split(";\n")):
        op.execute(statement)
    op.execute(PUT_TO_WORK)
    op.execute(TRIGGER)
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE gateway.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE gateway.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY one_brand ON gateway.{table} TO permesso_gateway USING "
            "(brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
        )
    for table in TENANT_TABLES + REFERENCE_TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.{table} TO permesso_gateway")
    # A group commit spans brands. Whoever writes it may put in for any of them and read nothing.
    op.execute(
        "CREATE POLICY put_in ON gateway.inbox FOR INSERT TO permesso_inbox WITH CHECK (true)"
    )
    op.execute("GRANT INSERT ON gateway.inbox, gateway.work TO permesso_inbox")


def downgrade() -> None:
    """There is nothing before the first step."""
    op.execute("DROP SCHEMA gateway CASCADE")
