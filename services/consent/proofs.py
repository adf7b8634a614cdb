"""Answer for a brand's log: its head, its entries, and proofs that they belong together."""

from base64 import b64decode, b64encode
from uuid import UUID

import asyncpg

from services.consent import damage
from services.consent.queries import log
from services.consent.registry import Registry
from shared.contracts.ledger import LogCheckpoint, LogConsistency, LogEntries, LogEntry, LogProof
from shared.ledger import entries, merkle
from shared.ledger.merkle import Span
from shared.problems import Problem


async def checkpoint(
    registry: Registry, brand_id: UUID, *, size: int | None = None
) -> LogCheckpoint:
    """Return the newest checkpoint, or the one of this size; 404 `no_checkpoint`."""
    async with registry.database.connection(brand_id) as connection:
        return await _checkpoint(registry, connection, brand_id, size)


async def read(
    registry: Registry, brand_id: UUID, *, begin: int, end: int | None, limit: int
) -> LogEntries:
    """Return entries from `begin` to before `end`, at most `limit` of them."""
    last = min(begin + limit, begin + limit if end is None else end)
    async with registry.database.connection(brand_id) as connection:
        rows = await log.read(connection, brand_id, begin=begin, end=last)
    full = len(rows) == limit and (end is None or last < end)
    return LogEntries(items=tuple(_entry(row) for row in rows), next=last if full else None)


async def prove(
    registry: Registry, brand_id: UUID, event_id: UUID, *, size: int | None = None
) -> LogProof:
    """Prove that an event is under a checkpoint, the newest unless a size is given.

    Raises `Problem`: 404 `unknown_event`, 404 `no_checkpoint`, 409 `not_logged_yet`, 409
    `ledger_damaged`.
    """
    async with registry.database.connection(brand_id) as connection:
        proof, _ = await prove_in(registry, connection, brand_id, event_id, size=size)
    return proof


async def prove_in(
    registry: Registry,
    connection: asyncpg.Connection,
    brand_id: UUID,
    event_id: UUID,
    *,
    size: int | None = None,
) -> tuple[LogProof, asyncpg.Record]:
    """Do the same in the caller's transaction; return the ledger's line too, as `log.read` does.

    A proof that does not hold is not given: 409 `ledger_damaged`.
    """
    leaf = await log.find_leaf(connection, brand_id, event_id=event_id)
    if leaf is None:
        raise await _why_no_leaf(connection, brand_id, event_id)
    number = leaf["number"]
    head = await _checkpoint(registry, connection, brand_id, size)
    if head.size <= number:
        if size is None:
            raise damage.found(brand_id, f"no checkpoint covers leaf {number}")
        raise _not_yet("At that checkpoint it was not in the log yet.")
    path = await _prove(connection, brand_id, merkle.inclusion_spans(number, head.size))
    if not merkle.includes(leaf["hash"], number, head.size, path, b64decode(head.root)):
        raise damage.found(brand_id, f"the tree over leaf {number} is not the one that was signed")
    rows = await log.read(connection, brand_id, begin=number, end=number + 1)
    entry = _entry(rows[0])
    if entry.entry is None:
        damage.note(brand_id, f"the line of leaf {number} is gone")
    elif merkle.leaf_hash(entries.canonical(entry.entry)) != leaf["hash"]:
        damage.note(brand_id, f"the line of leaf {number} was changed")
    return LogProof(entry=entry, path=_all_spelled(path), checkpoint=head), rows[0]


async def _why_no_leaf(connection: asyncpg.Connection, brand_id: UUID, event_id: UUID) -> Problem:
    where = await log.whereabouts(connection, brand_id, event_id=event_id)
    if not where["known"]:
        return Problem(404, "unknown_event", "The ledger has no such event of this brand.")
    if where["on_its_way"]:
        return _not_yet("It comes into the log within about a second.")
    return damage.found(brand_id, f"the leaf of event {event_id} is gone")


async def compare(registry: Registry, brand_id: UUID, *, old: int, new: int) -> LogConsistency:
    """Prove that the log of `new` events begins with that of `old`; 404 `no_checkpoint`."""
    if not 0 < old <= new:
        wrong = {"pointer": "/query/to", "message": "A log only grows: `to` is not before `from`."}
        raise Problem(422, "invalid", "Some fields are wrong.", errors=[wrong])
    async with registry.database.connection(brand_id) as connection:
        head = await _checkpoint(registry, connection, brand_id, None)
        if head.size < new:
            raise _no_checkpoint()
        path = await _prove(connection, brand_id, merkle.consistency_spans(old, new))
    return LogConsistency(from_size=old, to_size=new, path=_all_spelled(path))


async def _checkpoint(
    registry: Registry, connection: asyncpg.Connection, brand_id: UUID, size: int | None
) -> LogCheckpoint:
    if size is None:
        row = await log.head(connection, brand_id)
    else:
        row = await log.checkpoint(connection, brand_id, size=size)
    if row is None:
        raise _no_checkpoint()
    return LogCheckpoint(
        size=row["size"],
        root=_spelled(row["root"]),
        at=row["at"],
        note=row["note"],
        key=str(registry.signers.of(brand_id).key),
    )


async def _prove(connection: asyncpg.Connection, brand_id: UUID, spans: list[Span]) -> list[bytes]:
    nodes = merkle.nodes_of(spans)
    hashes = await log.hashes(connection, brand_id, nodes)
    if lost := sorted(set(nodes) - hashes.keys()):
        raise damage.found(brand_id, f"{len(lost)} hashes of its tree are gone, such as {lost[0]}")
    return merkle.prove(spans, hashes)


def _entry(row: asyncpg.Record) -> LogEntry:
    return LogEntry(
        number=row["number"],
        event_id=row["event_id"],
        leaf=_spelled(row["hash"]),
        entry=None if row["id"] is None else entries.entry(row),
    )


def _all_spelled(path: list[bytes]) -> tuple[str, ...]:
    return tuple(_spelled(hash) for hash in path)


def _spelled(hash: bytes) -> str:
    return b64encode(hash).decode()


def _no_checkpoint() -> Problem:
    return Problem(404, "no_checkpoint", "The log of this brand has no such checkpoint.")


def _not_yet(why: str) -> Problem:
    return Problem(409, "not_logged_yet", why)
