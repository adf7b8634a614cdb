"""The queue: slips, each a list of messages of one lane and one campaign that are due together.

A slip is in its lane owner's hand, under the owner's epoch, or waits under none. What it lists is
only where to look: whether a message waits stands in the message's own row, which also names the
one slip that answers for it. So a slip is forgotten when none of its messages is live any more, and
a list that is out of date harms nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

NO_CAMPAIGN = UUID(int=0)
"""The queue of messages without a campaign: replies, service messages."""
OF_CAMPAIGNS = "queue_id <> '00000000-0000-0000-0000-000000000000'"
"""Said of slips that are looked for by their campaign: the index for it has no others, so that no
plan takes it for a claim, which has a narrower one. Too small a table costs the same by either."""
SIZE = 64
"""Messages on one slip at most: enough that a slip costs nothing, few enough to be in one hand."""
_READ_AT_MOST = 64
"""Slips that one claim looks at."""


class Claimed(NamedTuple):
    """A message in its owner's hand. A tuple, because there are a million of them."""

    slip_id: UUID
    id: UUID
    day: date
    campaign_id: UUID | None
    person_id: UUID | None
    address: str
    language: str | None
    purpose: str
    part: int
    parts: int
    attempts: int
    deadline: datetime | None
    content: dict[str, object] | None
    variant: str | None = None


class Place(NamedTuple):
    """Where a claim left off in one order of a queue."""

    due_at: datetime
    id: UUID


START = Place(datetime.fromtimestamp(0, UTC), UUID(int=0))


@dataclass(slots=True)
class Cursor:
    """Where the last claim of a queue left off, so that the next one need not pass what is gone.

    Under a snapshot that somebody holds, PostgreSQL cannot clear away entries of slips that left
    the queue; a claim that began at the front would step over each of them.
    """

    again: Place = START
    fresh: Place = START


@dataclass(frozen=True, slots=True)
class Taken:
    """What one claim took: the slips, also those on which nothing waits any more."""

    slips: list[UUID]
    messages: list[Claimed]


_IN_NO_HURRY = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'"
"""Lets a statement's commit not wait for the disk: whatever durable one comes next brings it along.
A claim that a server lost in a crash is in the queue again, and its intent finds nothing."""
# The lane's owner is the only one who claims from it. One who lost it meanwhile takes nothing, or
# in the very moment of losing it a slip that the next owner finds (`Look.strays`). Slips and
# messages are looked up by lists of ids, never joined with rows of which the planner has to guess
# the number. `epoch < 1`, and not `= 0`: the queue's own index would be scanned for a slip's id.
_CLAIM = f"""
WITH running AS MATERIALIZED (
    SELECT FROM dispatcher.campaign WHERE brand_id = $1 AND id = $3 AND status = 'running'
    FOR SHARE),
next AS MATERIALIZED (
    (SELECT id, due_at, again, cardinality(messages) AS size FROM dispatcher.slip
     WHERE brand_id = $1 AND account_id = $2 AND queue_id = $3 AND epoch = 0 AND again
       AND due_at <= now() AND (due_at, id) > ($6, $7)
     ORDER BY due_at, id LIMIT least($4::bigint, $10))
    UNION ALL
    (SELECT id, due_at, again, cardinality(messages) FROM dispatcher.slip
     WHERE brand_id = $1 AND account_id = $2 AND queue_id = $3 AND epoch = 0 AND NOT again
       AND due_at <= now() AND (due_at, id) > ($8, $9)
     ORDER BY due_at, id LIMIT least($4::bigint, $10))),
few AS MATERIALIZED (
    SELECT id, sum(size) OVER (ORDER BY again DESC, due_at, id) - size AS before FROM next),
taken AS (
    UPDATE dispatcher.slip s SET epoch = $5
    WHERE s.brand_id = $1 AND s.id = ANY (ARRAY (SELECT id FROM few WHERE before < $4::bigint))
      AND s.epoch < 1 AND ($3 = $11 OR EXISTS (SELECT FROM running))
      AND EXISTS (SELECT FROM dispatcher.lane WHERE id = $2 AND epoch = $5) AND {_IN_NO_HURRY}
    RETURNING s.id, s.again, s.due_at, s.day, s.messages),
found AS MATERIALIZED (
    SELECT m.id, m.day, m.campaign_id, m.person_id, m.address, m.language, m.purpose, m.part,
        m.parts, m.attempts, m.deadline, m.content, m.variant, m.slip_id
    FROM dispatcher.message m
    WHERE m.brand_id = $1 AND m.day = ANY (ARRAY (SELECT day FROM taken))
      AND m.id = ANY (ARRAY (SELECT unnest(messages) FROM taken)) AND m.status = 'queued')
SELECT t.again, t.due_at, t.id AS slip_id, m.id, m.day, m.campaign_id, m.person_id, m.address,
    m.language, m.purpose, m.part, m.parts, m.attempts, m.deadline, m.content, m.variant
FROM taken t LEFT JOIN found m ON m.slip_id = t.id AND m.day = t.day
ORDER BY t.again DESC, t.due_at, t.id, array_position(t.messages, m.id)
"""  # noqa: S608 -- constants


async def claim(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    queue_id: UUID,
    epoch: int,
    limit: int,
    cursor: Cursor,
) -> Taken:
    """Take slips of one queue that are due, if their campaign runs: `limit` messages or a few more.

    The campaign's row is locked against a change of its status: whoever pauses it finds either
    no slip of ours, or slips that are in our hand already. `cursor` is moved on. One statement.
    """
    rows = await connection.fetch(
        _CLAIM,
        brand_id,
        account_id,
        queue_id,
        limit,
        epoch,
        *cursor.again,
        *cursor.fresh,
        _READ_AT_MOST,
        NO_CAMPAIGN,
    )
    slips: dict[UUID, None] = {}
    for row in rows:
        slip_id = row["slip_id"]
        if slip_id not in slips:
            slips[slip_id] = None
            if row["again"]:
                cursor.again = Place(row["due_at"], slip_id)
            else:
                cursor.fresh = Place(row["due_at"], slip_id)
    return Taken(list(slips), [Claimed(*row[2:]) for row in rows if row["id"] is not None])


# A message of a slip is live while it waits or flies and nobody put it on another slip.
_LIVE = """
SELECT FROM unnest(s.messages) AS u(id) JOIN dispatcher.message m
    ON m.brand_id = $1 AND m.day = s.day AND m.id = u.id
WHERE m.slip_id = s.id AND m.status IN ('queued', 'sending')
"""
_FINISH = f"""
WITH gone AS (
    DELETE FROM dispatcher.slip s WHERE s.brand_id = $1 AND s.id = ANY($2) AND s.epoch = $3
        AND NOT EXISTS ({_LIVE}) AND {_IN_NO_HURRY} RETURNING s.id)
SELECT s.id FROM dispatcher.slip s WHERE s.brand_id = $1 AND s.id = ANY($2) AND s.epoch = $3
    AND s.id NOT IN (SELECT id FROM gone)
"""  # noqa: S608 -- constants


async def finish(
    connection: asyncpg.Connection, *, brand_id: UUID, slips: Sequence[UUID], epoch: int
) -> set[UUID]:
    """Forget those of these slips in hand on which nothing is live any more; return the others."""
    rows = await connection.fetch(_FINISH, brand_id, list(slips), epoch)
    return {row[0] for row in rows}


_FINISH_CAMPAIGN = f"""
DELETE FROM dispatcher.slip s
WHERE s.brand_id = $1 AND s.queue_id = $2 AND s.{OF_CAMPAIGNS} AND NOT EXISTS ({_LIVE})
"""  # noqa: S608 -- constants
_FINISH_ACCOUNT = f"""
DELETE FROM dispatcher.slip s WHERE s.brand_id = $1 AND s.account_id = $2 AND NOT EXISTS ({_LIVE})
"""  # noqa: S608 -- constants
_CAMPAIGN_IS_LIVE = f"""
SELECT EXISTS (SELECT FROM dispatcher.slip s
    WHERE s.brand_id = $1 AND s.queue_id = $2 AND s.{OF_CAMPAIGNS} AND EXISTS ({_LIVE}))
"""  # noqa: S608 -- constants


async def finish_campaign(
    connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID
) -> None:
    """Forget a campaign's slips on which nothing is live any more."""
    await connection.execute(_FINISH_CAMPAIGN, brand_id, campaign_id)


async def finish_account(
    connection: asyncpg.Connection, *, brand_id: UUID, account_id: UUID
) -> None:
    """Forget a deleted account's slips on which nothing is live any more."""
    await connection.execute(_FINISH_ACCOUNT, brand_id, account_id)


async def is_live(connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID) -> bool:
    """Is any message of this campaign queued or in flight?"""
    return bool(await connection.fetchval(_CAMPAIGN_IS_LIVE, brand_id, campaign_id))


LONGEST_FLIGHT = 300.0
"""Seconds after an intent from which on nobody will settle it any more: its commit was not known
to have come through, or its settlement could not be stored. The longest upload takes half of it."""


_GIVE_BACK = f"""
UPDATE dispatcher.slip s SET epoch = 0, due_at = CASE
    WHEN s.id = ANY ($4) AND NOT EXISTS ({_LIVE} AND m.status = 'queued')
    THEN now() + make_interval(secs => $5) ELSE s.due_at END
WHERE s.brand_id = $1 AND s.account_id = $2 AND s.epoch > 0 AND s.epoch = $3
"""  # noqa: S608 -- constants


async def give_back(
    connection: asyncpg.Connection,
    *,
    brand_id: UUID,
    account_id: UUID,
    epoch: int,
    in_flight: Sequence[UUID],
) -> None:
    """Let what an owner has in hand wait again.

    Slips of which everything is settled or in flight are looked at when the flight must be over.
    """
    await connection.execute(
        _GIVE_BACK,
        brand_id,
        account_id,
        epoch,
        list(in_flight),
        LONGEST_FLIGHT,
    )


_TAKE_AWAY = f"""
UPDATE dispatcher.slip SET epoch = 0
WHERE brand_id = $1 AND queue_id = $2 AND {OF_CAMPAIGNS} AND epoch > 0
"""  # noqa: S608 -- constants


async def take_away(connection: asyncpg.Connection, *, brand_id: UUID, campaign_id: UUID) -> None:
    """Take a campaign's slips out of every hand: an intent on their messages finds nothing."""
    await connection.execute(
        _TAKE_AWAY,
        brand_id,
        campaign_id,
    )


async def waiting(
    connection: asyncpg.Connection, *, brand_id: UUID, account_ids: Sequence[UUID]
) -> dict[UUID, int]:
    """Return how many messages about wait on each of these accounts: what their slips list."""
    rows = await connection.fetch(
        "SELECT account_id, sum(cardinality(messages))::bigint FROM dispatcher.slip"
        " WHERE brand_id = $1 AND account_id = ANY($2) AND epoch = 0 GROUP BY 1",
        brand_id,
        list(account_ids),
    )
    return dict(rows)
