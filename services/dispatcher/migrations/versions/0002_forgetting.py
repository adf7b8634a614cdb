"""Find the events that tell of a person, so that they can be forgotten."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make an index of the persons that events are about, and of messages of whom nobody knows."""
    op.execute(
        "CREATE INDEX event_person ON dispatcher.event (brand_id, (data ->> 'person_id'))"
        " WHERE data ->> 'person_id' IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX event_message ON dispatcher.event (brand_id, (data ->> 'message_id'))"
        " WHERE data ->> 'person_id' IS NULL AND data ->> 'message_id' IS NOT NULL"
    )


def downgrade() -> None:
    """Take the indexes away."""
    op.execute("DROP INDEX dispatcher.event_person")
    op.execute("DROP INDEX dispatcher.event_message")
