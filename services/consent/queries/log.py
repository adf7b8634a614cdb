"""The log's rows: what has arrived, the tree's leaves and nodes, and its checkpoints."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import asyncpg

from shared.ledger import entries
from shared.ledger.merkle import Node

# One brand after the other straight from the index, however many events wait for each.
_WAITING = """
WITH RECURSIVE waiting AS (
    (SELECT brand_id FROM consent.log_arrival ORDER BY brand_id LIMIT 1)
    UNION ALL
    SELECT (SELECT a.brand_id FROM consent.log_arrival a WHERE a.brand_id > w.brand_id
            ORDER BY a.brand_id LIMIT 1)
    FROM waiting w WHERE w.brand_id IS NOT NULL)
SELECT brand_id FROM waiting WHERE brand_id IS NOT NULL
"""
_BRANDS = "SELECT brand_id FROM consent.log_head UNION SELECT brand_id FROM consent.log_arrival"
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('consent.log/' || $1::text, 0))"
_TAKE = f"""
WITH taken AS (
    DELETE FROM consent.log_arrival WHERE brand_id = $1 AND seq IN (
        SELECT seq FROM consent.log_arrival WHERE brand_id = $1 ORDER BY seq LIMIT $2)
    RETURNING seq, event_id)
SELECT {", ".join(f"e.{name}" for name in entries.COLUMNS)}
FROM taken t JOIN consent.event e ON e.brand_id = $1 AND e.id = t.event_id ORDER BY t.seq
"""  # noqa: S608 -- built from constants
_HEAD = """
SELECT size, root, note, at FROM consent.log_checkpoint WHERE brand_id = $1
ORDER BY size DESC LIMIT 1
"""
_CHECKPOINT = """
SELECT size, root, note, at FROM consent.log_checkpoint WHERE brand_id = $1 AND size = $2
"""
_CHECKPOINTS = """
SELECT size, root, note, at FROM consent.log_checkpoint WHERE brand_id = $1 AND size > $2
ORDER BY size LIMIT $3
"""
_LEAVES = "SELECT number, hash FROM consent.log_leaf WHERE brand_id = $1 AND number = ANY ($2)"
_NODES = """
SELECT n.level, n.number, n.hash FROM consent.log_node n
JOIN unnest($2::smallint[], $3::bigint[]) AS w(level, number)
    ON n.level = w.level AND n.number = w.number
WHERE n.brand_id = $1
"""
_ADD_LEAVES = """
INSERT INTO consent.log_leaf (brand_id, number, event_id, hash)
SELECT $1, $2 + place - 1, event_id, hash
FROM unnest($3::uuid[], $4::bytea[]) WITH ORDINALITY AS l(event_id, hash, place)
"""
_ADD_NODES = """
INSERT INTO consent.log_node (brand_id, level, number, hash)
SELECT $1, level, number, hash FROM unnest($2::smallint[], $3::bigint[], $4::bytea[])
    AS n(level, number, hash)
"""
_ADD_CHECKPOINT = """
INSERT INTO consent.log_checkpoint (brand_id, size, id, root, note) VALUES ($1, $2, $3, $4, $5)
"""
_MOVE_HEAD = """
INSERT INTO consent.log_head (brand_id, size, checkpoint_id) VALUES ($1, $2, $3)
ON CONFLICT (brand_id) DO UPDATE
SET size = excluded.size, checkpoint_id = excluded.checkpoint_id
"""
_FIND_LEAF = "SELECT number, hash FROM consent.log_leaf WHERE brand_id = $1 AND event_id = $2"
_KNOWN = "SELECT EXISTS (SELECT 1 FROM consent.event WHERE brand_id = $1 AND id = $2)"
_READ = f"""
SELECT l.number, l.event_id, l.hash, {", ".join(f"e.{name}" for name in entries.COLUMNS)}
FROM consent.log_leaf l LEFT JOIN consent.event e ON e.brand_id = $1 AND e.id = l.event_id
WHERE l.brand_id = $1 AND l.number >= $2 AND l.number < $3 ORDER BY l.number
"""  # noqa: S608 -- built from constants


async def waiting(connection: asyncpg.Connection) -> list[UUID]:
    """Return the brands that have events which are not in the log yet."""
    return [UUID(int=row[0].int) for row in await connection.fetch(_WAITING)]


async def brands(connection: asyncpg.Connection) -> list[UUID]:
    """Return every brand of whom something was ever recorded."""
    return [UUID(int=row[0].int) for row in await connection.fetch(_BRANDS)]


async def try_lock(connection: asyncpg.Connection, brand_id: UUID) -> bool:
    """Be the only one who adds to this log until the transaction ends, unless somebody is."""
    return bool(await connection.fetchval(_TRY_LOCK, str(brand_id)))


async def take(
    connection: asyncpg.Connection, brand_id: UUID, *, limit: int
) -> list[asyncpg.Record]:
    """Take what has arrived, by sequence: the lock must be held.

    Only what has committed is seen. A line whose transaction is still open comes with a later call,
    after lines of a higher sequence, but never after one about the same person: those wait for
    each other.
    """
    return list(await connection.fetch(_TAKE, brand_id, limit))


async def head(connection: asyncpg.Connection, brand_id: UUID) -> asyncpg.Record | None:
    """Return the newest checkpoint, or none where nothing is in the log."""
    return await connection.fetchrow(_HEAD, brand_id)


async def checkpoint(
    connection: asyncpg.Connection, brand_id: UUID, *, size: int
) -> asyncpg.Record | None:
    """Return the checkpoint that was signed at this size, if one was."""
    return await connection.fetchrow(_CHECKPOINT, brand_id, size)


async def checkpoints(
    connection: asyncpg.Connection, brand_id: UUID, *, after: int, limit: int
) -> list[asyncpg.Record]:
    """Return the checkpoints of more than `after` leaves, the smallest first."""
    return list(await connection.fetch(_CHECKPOINTS, brand_id, after, limit))


async def hashes(
    connection: asyncpg.Connection, brand_id: UUID, nodes: Sequence[Node]
) -> dict[Node, bytes]:
    """Return the hashes of these nodes, as far as they are there."""
    leaves = [node.number for node in nodes if node.level == 0]
    inner = [node for node in nodes if node.level > 0]
    found: dict[Node, bytes] = {}
    if leaves:
        for number, hash in await connection.fetch(_LEAVES, brand_id, leaves):
            found[Node(0, number)] = hash
    if inner:
        levels, numbers = [node.level for node in inner], [node.number for node in inner]
        for level, number, hash in await connection.fetch(_NODES, brand_id, levels, numbers):
            found[Node(level, number)] = hash
    return found


async def add_leaves(
    connection: asyncpg.Connection, brand_id: UUID, *, first: int, leaves: Mapping[UUID, bytes]
) -> None:
    """Write the leaves' hashes, by event, in their order."""
    await connection.execute(_ADD_LEAVES, brand_id, first, list(leaves), list(leaves.values()))


async def add_nodes(
    connection: asyncpg.Connection, brand_id: UUID, made: Iterable[tuple[Node, bytes]]
) -> None:
    """Write the nodes that the new leaves have completed."""
    nodes = list(made)
    await connection.execute(
        _ADD_NODES,
        brand_id,
        [node.level for node, _ in nodes],
        [node.number for node, _ in nodes],
        [hash for _, hash in nodes],
    )


async def add_checkpoint(
    connection: asyncpg.Connection,
    brand_id: UUID,
    *,
    size: int,
    checkpoint_id: UUID,
    root: bytes,
    note: str,
) -> None:
    """Write a signed head, the newest from now on."""
    await connection.execute(_ADD_CHECKPOINT, brand_id, size, checkpoint_id, root, note)
    await connection.execute(_MOVE_HEAD, brand_id, size, checkpoint_id)


async def find_leaf(
    connection: asyncpg.Connection, brand_id: UUID, *, event_id: UUID
) -> asyncpg.Record | None:
    """Return where an event stands in the log, if it does."""
    return await connection.fetchrow(_FIND_LEAF, brand_id, event_id)


async def is_known(connection: asyncpg.Connection, brand_id: UUID, *, event_id: UUID) -> bool:
    """Is there such an event, in the log or not yet?"""
    return bool(await connection.fetchval(_KNOWN, brand_id, event_id))


async def read(
    connection: asyncpg.Connection, brand_id: UUID, *, begin: int, end: int
) -> list[asyncpg.Record]:
    """Return leaves from `begin` to before `end`, each with what the ledger says of its event."""
    return list(await connection.fetch(_READ, brand_id, begin, end))
