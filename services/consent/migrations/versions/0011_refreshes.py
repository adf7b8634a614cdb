"""Ask in time: when to ask before a yes runs out, and until when its answer is waited for.

What was granted before is asked about thirty days before its end; whether it is to be asked at all
is decided when the time comes.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CHANGES = (
    "ALTER TABLE consent.expiry ADD COLUMN ask_at timestamptz",
    "UPDATE consent.expiry SET ask_at = expires_at - interval '720 hours'",
    "CREATE INDEX expiry_ask ON consent.expiry (ask_at) WHERE ask_at IS NOT NULL",
    # Both workers look for the state that a grant led to.
    "CREATE INDEX state_event ON consent.state (brand_id, event_id) WHERE expires_at IS NOT NULL",
    "ALTER TABLE consent.question ADD COLUMN open_until timestamptz",
)
# Whatever kinds of lines there are by now, and this one.
ALSO = """
DO $$
DECLARE known text := (SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint
    WHERE conrelid = 'consent.event'::regclass AND conname = 'event_action_check');
BEGIN
    ALTER TABLE consent.event DROP CONSTRAINT event_action_check;
    EXECUTE format('ALTER TABLE consent.event ADD CONSTRAINT event_action_check'
        ' CHECK (%s OR action = ''refresh'')', known);
END $$
"""


def upgrade() -> None:
    """Let grants be asked about in time, and the ledger say so."""
    for change in CHANGES:
        op.execute(change)
    op.execute(ALSO)


def downgrade() -> None:
    """Lines of the ledger cannot be taken back, and so neither can this."""
    raise NotImplementedError("the ledger may hold lines that only this version knows")
