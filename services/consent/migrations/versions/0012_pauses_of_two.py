"""Two who are one may both be paused for the same reason: each pause keeps its own end.

Until now one row stood for a kind and reach of a person, so of two who were merged one pause lost
its clock, or its review did. A pause is of its event; and it belongs to whoever has the address at
which it was said.

`suppression_key` names the keys under which addresses of erased people were hashed, by a mark from
which no key follows. It has no brand: it is about the whole house.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ROLE = "permesso_consent"

PAUSES = """
ALTER TABLE consent.pause DROP CONSTRAINT pause_pkey;
DROP INDEX consent.pause_event;
ALTER TABLE consent.pause ADD PRIMARY KEY (brand_id, event_id);
CREATE INDEX pause_person ON consent.pause (brand_id, person_id);
"""
TO_THEIR_OWNER = """
UPDATE consent.{table} t SET person_id = i.person_id
FROM consent.account a JOIN consent.identity i ON i.brand_id = a.brand_id AND i.channel = a.channel
WHERE a.brand_id = t.brand_id AND a.id = t.account_id AND i.address = t.address
  AND i.person_id <> t.person_id
"""
KEYS = """
CREATE TABLE consent.suppression_key (
    mark bytea PRIMARY KEY,
    used_since timestamptz NOT NULL DEFAULT now()
);
"""
READ = ("pause", "review", "account", "identity")


def upgrade() -> None:
    """Let every pause have its own row, and give those that were left behind to their persons."""
    for statement in filter(str.strip, (PAUSES + KEYS).split(";\n")):
        op.execute(statement)
    # The owner is under the policies too, and would see no rows.
    for table in READ:
        op.execute(f"ALTER TABLE consent.{table} NO FORCE ROW LEVEL SECURITY")
    for table in ("pause", "review"):
        op.execute(TO_THEIR_OWNER.format(table=table))
    for table in READ:
        op.execute(f"ALTER TABLE consent.{table} FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT ON consent.suppression_key TO {ROLE}")


def downgrade() -> None:
    """What has a clock of its own cannot be put back into one row."""
    raise NotImplementedError("a pause that is not kept would be broken")
