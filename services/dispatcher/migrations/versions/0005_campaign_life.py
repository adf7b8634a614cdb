"""The whole life of a campaign: variants, a hold-out, live recipients, test sends, and a tally.

`tally` holds what changed in the counts of a campaign's messages, as rows that are only ever
inserted; their sum is the count, at every moment, because each is written by the statement that
changes the messages. A worker replaces many rows by their sum.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLE = "permesso_dispatcher"

COLUMNS = """
ALTER TABLE dispatcher.campaign
    ADD COLUMN variants jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN hold_out double precision NOT NULL DEFAULT 0,
    ADD COLUMN recipients text NOT NULL DEFAULT 'frozen' CHECK (recipients IN ('frozen', 'live')),
    ADD COLUMN live_until timestamptz,
    ADD COLUMN zone_fallbacks bigint NOT NULL DEFAULT 0,
    ADD COLUMN named integer;
ALTER TABLE dispatcher.message
    ADD COLUMN variant text,
    ADD COLUMN test_of uuid;
ALTER TABLE dispatcher.rendering
    ADD COLUMN variant text NOT NULL DEFAULT '',
    ADD COLUMN story_id uuid,
    DROP CONSTRAINT rendering_pkey,
    ADD PRIMARY KEY (brand_id, campaign_id, account_id, variant, language);
CREATE TABLE dispatcher.tally (
    brand_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    variant text,
    status text NOT NULL,
    reason text,
    number bigint NOT NULL
);
CREATE INDEX tally_campaign ON dispatcher.tally (brand_id, campaign_id);
ALTER TABLE dispatcher.tally SET (autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX attempt_settled ON dispatcher.attempt USING brin (settled_at)
    WITH (pages_per_range = 32, autosummarize = on)
"""

# Why, of what is withheld and of what waits for an hour or under a cap. The reasons of all else
# are as many as platforms have words.
_WHY = (
    "CASE WHEN {row}.status = 'withheld' OR ({row}.status = 'queued'"
    " AND {row}.reason IN ('quiet_hours', 'capped')) THEN {row}.reason END"
)
# With no settings of their own: to set and reset one takes a tenth of their time.
_KEPT = "INSERT INTO dispatcher.tally (brand_id, campaign_id, variant, status, reason, number)"
_INSERTED = f"""
CREATE FUNCTION dispatcher.tally_inserted() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    {_KEPT}
    SELECT n.brand_id, n.campaign_id, n.variant, n.status, {_WHY.format(row="n")}, count(*)
    FROM fresh n WHERE n.campaign_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END
$body$
"""  # noqa: S608 -- constants
_UPDATED = f"""
CREATE FUNCTION dispatcher.tally_updated() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    {_KEPT}
    SELECT x.brand_id, x.campaign_id, x.variant, x.status, x.why, sum(x.step) FROM (
        SELECT o.brand_id, o.campaign_id, o.variant, o.status, {_WHY.format(row="o")} AS why,
            -1 AS step
        FROM stale o WHERE o.campaign_id IS NOT NULL
        UNION ALL
        SELECT n.brand_id, n.campaign_id, n.variant, n.status, {_WHY.format(row="n")}, 1
        FROM fresh n WHERE n.campaign_id IS NOT NULL) x
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(x.step) <> 0;
    RETURN NULL;
END
$body$
"""  # noqa: S608 -- constants
TRIGGERS = (
    _INSERTED,
    _UPDATED,
    "CREATE TRIGGER tally_inserted AFTER INSERT ON dispatcher.message"
    " REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"
    " EXECUTE FUNCTION dispatcher.tally_inserted()",
    "CREATE TRIGGER tally_updated AFTER UPDATE ON dispatcher.message"
    " REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT"
    " EXECUTE FUNCTION dispatcher.tally_updated()",
)

# Whoever writes messages waits for the triggers, and for this: so nothing is counted twice or not
# at all. Forced row-level security would hide every row from an owner who is no superuser.
FIRST_COUNTS = f"""
ALTER TABLE dispatcher.message NO FORCE ROW LEVEL SECURITY;
ALTER TABLE dispatcher.campaign NO FORCE ROW LEVEL SECURITY;
ALTER TABLE dispatcher.rendering NO FORCE ROW LEVEL SECURITY;
{_KEPT}
    SELECT m.brand_id, m.campaign_id, NULL, m.status, {_WHY.format(row="m")}, count(*)
    FROM dispatcher.message m WHERE m.campaign_id IS NOT NULL GROUP BY 1, 2, 4, 5;
UPDATE dispatcher.campaign SET named = jsonb_array_length(audience -> 'addresses')
    WHERE jsonb_typeof(audience -> 'addresses') = 'array';
UPDATE dispatcher.rendering r SET story_id = c.story_id FROM dispatcher.campaign c
    WHERE c.brand_id = r.brand_id AND c.id = r.campaign_id;
ALTER TABLE dispatcher.message FORCE ROW LEVEL SECURITY;
ALTER TABLE dispatcher.campaign FORCE ROW LEVEL SECURITY;
ALTER TABLE dispatcher.rendering FORCE ROW LEVEL SECURITY
"""  # noqa: S608 -- constants

CLOSED = f"""
ALTER TABLE dispatcher.tally ENABLE ROW LEVEL SECURITY;
ALTER TABLE dispatcher.tally FORCE ROW LEVEL SECURITY;
CREATE POLICY one_brand ON dispatcher.tally
    USING (brand_id = nullif(current_setting('app.brand', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON dispatcher.tally TO {ROLE}
"""


def upgrade() -> None:
    """Add the columns and the tally, count what there is, and close the tally by brand."""
    for statement in filter(str.strip, COLUMNS.split(";\n")):
        op.execute(statement)
    for statement in TRIGGERS:
        op.execute(statement)
    for script in (FIRST_COUNTS, CLOSED):
        for statement in filter(str.strip, script.split(";\n")):
            op.execute(statement)


def downgrade() -> None:
    """Variants cannot be told apart without their column, and so neither can their messages."""
    raise NotImplementedError("campaigns may have variants that only this version knows")
