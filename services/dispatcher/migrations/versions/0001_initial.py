"""The dispatcher's first tables.

Tenant tables carry `brand_id` first in every key and are closed by row-level security. `lane`,
`member` and `work` hold no tenant data: through them a process finds what there is to do.
`message`, `attempt`, `event`, `callback` and `callback_attempt` are partitioned by an immutable
day, so that old days are dropped and never deleted row by row.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLE = "permesso_dispatcher"

REFERENCE = """
CREATE TABLE dispatcher.member (
    id uuid PRIMARY KEY,
    beat bigint NOT NULL DEFAULT 0,
    dead boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE dispatcher.lane (
    id uuid PRIMARY KEY,
    brand_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('account', 'endpoint')),
    owner uuid,
    epoch bigint NOT NULL DEFAULT 0,
    wake_at timestamptz NOT NULL DEFAULT 'infinity',
    paused_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX lane_owner ON dispatcher.lane (owner);
CREATE TABLE dispatcher.work (
    id uuid PRIMARY KEY,
    brand_id uuid NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    UNIQUE (kind, subject_id)
);
CREATE INDEX work_due ON dispatcher.work (due_at);
CREATE TABLE dispatcher.feed_position (
    name text PRIMARY KEY,
    cursor bigint NOT NULL
);
"""

TENANT = """
CREATE TABLE dispatcher.account (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    channel text NOT NULL,
    name text NOT NULL,
    credentials bytea NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'connected', 'broken')),
    status_reason text,
    platform_id text,
    platform_name text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (brand_id, id)
);
-- Which account speaks as which bot or number: it has one webhook, and one list of who said no, so
-- it is connected once in the whole house. Brands cannot see each other's rows, so this has no such
-- policy.
CREATE TABLE dispatcher.platform_account (
    channel text NOT NULL,
    platform_id text NOT NULL,
    account_id uuid NOT NULL UNIQUE,
    PRIMARY KEY (channel, platform_id)
);
CREATE TABLE dispatcher.media (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    sha256 text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('image', 'video')),
    mime text NOT NULL,
    name text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    seconds double precision,
    bytes integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, id),
    UNIQUE (brand_id, sha256)
);
CREATE TABLE dispatcher.media_chunk (
    brand_id uuid NOT NULL,
    media_id uuid NOT NULL,
    number integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (brand_id, media_id, number)
);
ALTER TABLE dispatcher.media_chunk ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TABLE dispatcher.media_upload (
    brand_id uuid NOT NULL,
    account_id uuid NOT NULL,
    media_id uuid NOT NULL,
    reference text NOT NULL,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, account_id, media_id)
);
CREATE TABLE dispatcher.story (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    title text NOT NULL,
    language text NOT NULL,
    frames jsonb NOT NULL,
    variants jsonb NOT NULL DEFAULT '{}',
    expires_after integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (brand_id, id)
);
CREATE TABLE dispatcher.campaign (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    day date,
    name text NOT NULL,
    story_id uuid NOT NULL,
    purpose text NOT NULL,
    account_ids uuid[] NOT NULL,
    audience jsonb NOT NULL,
    send_at timestamptz,
    recipient_local_time boolean NOT NULL DEFAULT false,
    deadline timestamptz,
    status text NOT NULL DEFAULT 'draft'
        CHECK (status IN ('draft', 'scheduled', 'running', 'paused', 'finished', 'cancelled')),
    status_reason text,
    accepted bigint NOT NULL DEFAULT 0,
    excluded jsonb NOT NULL DEFAULT '{}',
    expand_cursor jsonb,
    expanded boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    launched_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (brand_id, id)
);
CREATE INDEX campaign_running ON dispatcher.campaign (brand_id) WHERE status = 'running';
CREATE TABLE dispatcher.rendering (
    brand_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    account_id uuid NOT NULL,
    language text NOT NULL,
    parts jsonb NOT NULL,
    PRIMARY KEY (brand_id, campaign_id, account_id, language)
);
CREATE TABLE dispatcher.single (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (brand_id, id)
);
CREATE TABLE dispatcher.receipt (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    platform_id text NOT NULL,
    status text NOT NULL,
    at timestamptz NOT NULL,
    code text,
    message_id uuid,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, id)
);
CREATE INDEX receipt_platform ON dispatcher.receipt (brand_id, account_id, platform_id);
CREATE INDEX receipt_message ON dispatcher.receipt (brand_id, message_id)
    WHERE message_id IS NOT NULL;
CREATE TABLE dispatcher.endpoint (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    types text[] NOT NULL DEFAULT '{}',
    secrets bytea NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    disabled_reason text,
    failing_since timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (brand_id, id)
);
"""

PARTITIONED = """
CREATE TABLE dispatcher.message (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    day date NOT NULL,
    campaign_id uuid,
    queue_id uuid NOT NULL,
    account_id uuid NOT NULL,
    person_id uuid,
    address text NOT NULL,
    language text,
    purpose text NOT NULL,
    status text NOT NULL CHECK (status IN ('queued', 'claimed', 'sending', 'sent', 'delivered',
        'read', 'refused', 'unknown', 'partial', 'cancelled', 'withheld')),
    reason text,
    parts smallint NOT NULL,
    part smallint NOT NULL DEFAULT 0,
    attempts smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    deadline timestamptz,
    grant_seq bigint NOT NULL DEFAULT 0,
    consent_event_id uuid,
    epoch bigint NOT NULL DEFAULT 0,
    attempt_id uuid,
    content jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, id, day),
    UNIQUE (brand_id, campaign_id, account_id, address, day)
) PARTITION BY RANGE (day);
CREATE INDEX message_queue ON dispatcher.message (brand_id, account_id, queue_id, due_at, id)
    WHERE status = 'queued';
CREATE INDEX message_hand ON dispatcher.message (brand_id, account_id, queue_id)
    WHERE status IN ('claimed', 'sending');
CREATE INDEX message_person ON dispatcher.message (brand_id, address, account_id)
    WHERE status IN ('queued', 'claimed', 'sending');
CREATE TABLE dispatcher.attempt (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    day date NOT NULL,
    message_id uuid NOT NULL,
    account_id uuid NOT NULL,
    part smallint NOT NULL,
    started_at timestamptz NOT NULL,
    settled_at timestamptz NOT NULL DEFAULT now(),
    outcome text NOT NULL,
    code text,
    platform_ids text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (brand_id, message_id, id, day)
) PARTITION BY RANGE (day);
CREATE INDEX attempt_platform ON dispatcher.attempt (brand_id, account_id, (platform_ids[1]))
    WHERE platform_ids <> '{}';
CREATE TABLE dispatcher.event (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    day date NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    type text NOT NULL,
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (brand_id, id, day)
) PARTITION BY RANGE (day);
CREATE INDEX event_seq ON dispatcher.event (brand_id, seq);
CREATE TABLE dispatcher.callback (
    brand_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    day date NOT NULL,
    status text NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'delivered', 'refused')),
    number smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, endpoint_id, event_id, day)
) PARTITION BY RANGE (day);
CREATE INDEX callback_queue ON dispatcher.callback (brand_id, endpoint_id, due_at, event_id)
    WHERE status = 'waiting';
CREATE TABLE dispatcher.callback_attempt (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    day date NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    number smallint NOT NULL,
    at timestamptz NOT NULL,
    status text NOT NULL,
    http_status smallint,
    code text,
    PRIMARY KEY (brand_id, endpoint_id, id, day)
) PARTITION BY RANGE (day);
"""

TENANT_TABLES = (
    "account", "media", "media_chunk", "media_upload", "story", "campaign", "rendering", "single",
    "receipt", "endpoint", "message", "attempt", "event", "callback", "callback_attempt",
)  # fmt: skip

# The service's role owns nothing, so it cannot make partitions itself; this function can, and
# nothing else. Row-level security of the parent holds for every row reached through it, and the
# role has no rights on a partition by its own name.
ENSURE_DAYS = """
CREATE FUNCTION dispatcher.ensure_days(first date, last date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
DECLARE
    parent text;
    child text;
    d date;
    made integer := 0;
BEGIN
    IF last - first > 400 THEN
        RAISE EXCEPTION 'at most 400 days at once';
    END IF;
    PERFORM pg_advisory_xact_lock(7305160);
    d := first;
    WHILE d <= last LOOP
        FOREACH parent IN ARRAY ARRAY['message', 'attempt', 'event', 'callback', 'callback_attempt']
        LOOP
            child := parent || '_' || to_char(d, 'YYYYMMDD');
            IF to_regclass('dispatcher.' || child) IS NULL THEN
                EXECUTE format(
                    'CREATE TABLE dispatcher.%I PARTITION OF dispatcher.%I'
                    ' FOR VALUES FROM (%L) TO (%L)',
                    child, parent, d, d + 1);
                IF parent IN ('message', 'callback') THEN
                    EXECUTE format(
                        'ALTER TABLE dispatcher.%I SET (fillfactor = 70,'
                        ' autovacuum_vacuum_scale_factor = 0.02,'
                        ' autovacuum_analyze_scale_factor = 0.05,'
                        ' autovacuum_vacuum_cost_delay = 0)', child);
                END IF;
                IF parent = 'message' THEN
                    -- Born with the statistics of a full partition: one day, one brand, each id
                    -- once. Without any, the planner takes a brand's rows for one or two, and
                    -- reads all of them to find sixteen.
                    EXECUTE format(
                        'INSERT INTO dispatcher.%I (brand_id, id, day, campaign_id, queue_id,'
                        ' account_id, address, purpose, status, parts, due_at)'
                        ' SELECT n, gen_random_uuid(), %L, n, n, n, i::text, '''', s[1 + i %% 5],'
                        ' 1, now() FROM generate_series(1, 1000) i,'
                        ' (VALUES (''00000000-0000-0000-0000-000000000000''::uuid, ARRAY['
                        '''queued'', ''claimed'', ''sending'', ''sent'', ''unknown''])) v(n, s)',
                        child, d);
                    EXECUTE format('ANALYZE dispatcher.%I', child);
                    EXECUTE format('TRUNCATE dispatcher.%I', child);
                END IF;
                made := made + 1;
            END IF;
        END LOOP;
        d := d + 1;
    END LOOP;
    RETURN made;
END
$body$
"""


def upgrade() -> None:
    """Make the tables, close them by brand, and let the service's role in."""
    for script in (REFERENCE, TENANT, PARTITIONED):
        for statement in filter(str.strip, script.split(";\n")):
            op.execute(statement)
    op.execute(ENSURE_DAYS)
    op.execute("REVOKE ALL ON FUNCTION dispatcher.ensure_days(date, date) FROM PUBLIC")
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE dispatcher.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE dispatcher.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY one_brand ON dispatcher.{table} USING "
            "(brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
        )
    # Before the first partition is made: a partition's own name is closed to the role.
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dispatcher TO {ROLE}")
    op.execute("SELECT dispatcher.ensure_days(current_date - 1, current_date + 7)")
    op.execute(f"GRANT EXECUTE ON FUNCTION dispatcher.ensure_days(date, date) TO {ROLE}")


def downgrade() -> None:
    """There is nothing before the first step."""
    op.execute("DROP SCHEMA dispatcher CASCADE")
