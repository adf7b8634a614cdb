"""The kinds of lines that the ledger knows, and the news that the feed tells.

One place for all of them, so that a new deed needs no migration of its own for its name.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACTIONS = (
    "grant",
    "confirm",
    "revoke",
    "expire",
    "block",
    "unblock",
    "seen",
    "import",
    "notice",
    "pause",
    "resume",
    "review",
    "merge",
    "split",
    "erase",
)
OUTCOMES = ("granted", "pending", "revoked", "paused", "unchanged")
NEWS = (
    "consent.granted",
    "consent.pending",
    "consent.revoked",
    "consent.paused",
    "consent.resumed",
    "consent.doubtful",
    "consent.expiring",
    "consent.expired",
    "person.merged",
    "person.split",
    "person.erased",
    "ledger.checkpoint",
)


def upgrade() -> None:
    """Let the ledger and the feed know all kinds."""
    _allow("event", "action", ACTIONS)
    _allow("event", "outcome", OUTCOMES)
    _allow("feed", "type", NEWS)


def _allow(table: str, column: str, values: tuple[str, ...]) -> None:
    name = f"{table}_{column}_check"
    listed = ", ".join(f"'{value}'" for value in values)
    op.execute(f"ALTER TABLE consent.{table} DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE consent.{table} ADD CONSTRAINT {name} CHECK ({column} IN ({listed}))")


def downgrade() -> None:
    """Lines of the ledger cannot be taken back, and so neither can this."""
    raise NotImplementedError("the ledger may hold lines that only this version knows")
