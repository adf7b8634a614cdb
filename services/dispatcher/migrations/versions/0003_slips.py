"""Let slips be the queue: narrow rows that each list many messages; messages keep their place.

A message's row was written three times on its way (claimed, sending, settled), each time with a new
entry in every index, because its status stood in them. Now it stands in none: intent and settlement
change the row where it lies, and what waits is found through `slip`.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLE = "permesso_dispatcher"

SLIPS = """
CREATE TABLE dispatcher.slip (
    brand_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    queue_id uuid NOT NULL,
    -- What was begun before goes before what was not: the next part of an album, another try.
    again boolean NOT NULL DEFAULT false,
    due_at timestamptz NOT NULL,
    day date NOT NULL,
    -- Of the lane's owner who has it in hand; 0 while it waits.
    epoch bigint NOT NULL DEFAULT 0,
    messages uuid[] NOT NULL,
    PRIMARY KEY (brand_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX slip_queue ON dispatcher.slip (brand_id, account_id, queue_id, again, due_at, id)
    WHERE epoch = 0;
CREATE INDEX slip_hand ON dispatcher.slip (brand_id, account_id) WHERE epoch > 0;
CREATE INDEX slip_campaign ON dispatcher.slip (brand_id, queue_id);
"""

# Whatever is on its way is put on a slip of its own: there are few moments when that is much.
MESSAGES = """
DROP INDEX dispatcher.message_queue;
DROP INDEX dispatcher.message_hand;
DROP INDEX dispatcher.message_person;
ALTER TABLE dispatcher.message ADD COLUMN slip_id uuid;
UPDATE dispatcher.message SET status = 'queued' WHERE status = 'claimed';
UPDATE dispatcher.message SET slip_id = gen_random_uuid() WHERE status IN ('queued', 'sending');
INSERT INTO dispatcher.slip
    (brand_id, id, account_id, queue_id, again, due_at, day, epoch, messages)
    SELECT brand_id, slip_id, account_id, queue_id, true, due_at, day,
        CASE WHEN status = 'sending' THEN epoch ELSE 0 END, ARRAY[id]
    FROM dispatcher.message WHERE slip_id IS NOT NULL;
ALTER TABLE dispatcher.message DROP COLUMN epoch;
ALTER TABLE dispatcher.message DROP COLUMN queue_id;
CREATE INDEX message_person ON dispatcher.message (brand_id, address, account_id)
"""

# Events of messages: one row for all those of one kind that one settlement told of. What an event
# says of its message is read from there, so an erased person is in no event either.
PACKS = """
ALTER TABLE dispatcher.event ADD COLUMN status text;
ALTER TABLE dispatcher.event ADD COLUMN message_day date;
ALTER TABLE dispatcher.event ADD COLUMN messages uuid[];
ALTER TABLE dispatcher.event ADD COLUMN reasons text[];
ALTER TABLE dispatcher.callback ADD COLUMN row_id uuid;
UPDATE dispatcher.callback SET row_id = event_id;
ALTER TABLE dispatcher.callback ALTER COLUMN row_id SET NOT NULL;
CREATE FUNCTION dispatcher.event_id(row_id uuid, place integer) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (left(row_id::text, 34) || lpad(to_hex(place), 2, '0'))::uuid;
DROP INDEX dispatcher.attempt_platform;
ALTER TABLE dispatcher.attempt ADD COLUMN answered boolean NOT NULL DEFAULT true;
CREATE INDEX attempt_platform ON dispatcher.attempt (brand_id, account_id, (platform_ids[1]))
    WHERE answered AND platform_ids <> '{}'
"""

# Half of each page stays free: then all its rows can be changed at once, and stay where they are.
ENSURE_DAYS = """
CREATE OR REPLACE FUNCTION dispatcher.ensure_days(first date, last date) RETURNS integer
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
                        'ALTER TABLE dispatcher.%I SET (fillfactor = %s,'
                        ' autovacuum_vacuum_scale_factor = 0.02,'
                        ' autovacuum_analyze_scale_factor = 0.05,'
                        ' autovacuum_vacuum_cost_delay = 0)',
                        child, CASE parent WHEN 'message' THEN 50 ELSE 70 END);
                END IF;
                IF parent = 'message' THEN
                    -- Born with the statistics of a full partition: one day, one brand, each id
                    -- once. Without any, the planner takes a brand's rows for one or two, and
                    -- reads all of them to find sixteen.
                    EXECUTE format(
                        'INSERT INTO dispatcher.%I (brand_id, id, day, campaign_id,'
                        ' account_id, address, purpose, status, parts, due_at)'
                        ' SELECT n, gen_random_uuid(), %L, n, n, i::text, '''', s[1 + i %% 4],'
                        ' 1, now() FROM generate_series(1, 1000) i,'
                        ' (VALUES (''00000000-0000-0000-0000-000000000000''::uuid, ARRAY['
                        '''queued'', ''sending'', ''sent'', ''unknown''])) v(n, s)',
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

# The partitions of today and the days to come; their pages that are full already stay as they are.
ROOM = """
DO $body$
DECLARE
    child regclass;
BEGIN
    FOR child IN SELECT inhrelid FROM pg_inherits
        WHERE inhparent = 'dispatcher.message'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = 50)', child);
    END LOOP;
END
$body$
"""


# Its owner may have to be a member of `pg_monitor` to see the sessions of others.
HORIZON = """
CREATE FUNCTION dispatcher.oldest_snapshot() RETURNS double precision
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $body$
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8
    FROM pg_stat_activity
    WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid()
$body$
"""

READ = ("message", "callback")


def upgrade() -> None:
    """Make slips of what waits, and take the indexes away that every step had to write."""
    # The owner is under the policies too, and would see no rows.
    for table in READ:
        op.execute(f"ALTER TABLE dispatcher.{table} NO FORCE ROW LEVEL SECURITY")
    for script in (SLIPS, MESSAGES, PACKS):
        for statement in filter(str.strip, script.split(";\n")):
            op.execute(statement)
    for table in READ:
        op.execute(f"ALTER TABLE dispatcher.{table} FORCE ROW LEVEL SECURITY")
    op.execute(ENSURE_DAYS)
    op.execute(HORIZON)
    op.execute("REVOKE ALL ON FUNCTION dispatcher.oldest_snapshot() FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION dispatcher.oldest_snapshot() TO {ROLE}")
    op.execute(ROOM)
    op.execute("ALTER TABLE dispatcher.slip ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE dispatcher.slip FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY one_brand ON dispatcher.slip USING "
        "(brand_id = nullif(current_setting('app.brand', true), '')::uuid)"
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON dispatcher.slip TO {ROLE}")


def downgrade() -> None:
    """Refuse: what is on its way would lose its place in the queue."""
    raise NotImplementedError("restore the backup that was made before this step")
