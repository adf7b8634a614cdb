"""Answer for a brand's log: its head, its entries, and proofs that they belong together."""

from base64 import b64encode
from uuid import UUID

import asyncpg

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

    Raises `Problem`: 404 `unknown_event`, 404 `no_checkpoint`, 409 `not_logged_yet`.
    """
    async with registry.database.connection(brand_id) as connection:
        leaf = await log.find_leaf(connection, brand_id, event_id=event_id)
        if leaf is None:
            if await log.is_known(connection, brand_id, event_id=event_id):
                raise _not_yet("It comes into the log within about a second.")
            raise Problem(404, "unknown_event", "The ledger has no such event of this brand.")
        number = leaf["number"]
        head = await _checkpoint(registry, connection, brand_id, size)
        if head.size <= number:
            raise _not_yet("At that checkpoint it was not in the log yet.")
        path = await _prove(connection, brand_id, merkle.inclusion_spans(number, head.size))
        (row,) = await log.read(connection, brand_id, begin=number, end=number + 1)
    return LogProof(entry=_entry(row), path=path, checkpoint=head)


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
    return LogConsistency(from_size=old, to_size=new, path=path)


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


async def _prove(
    connection: asyncpg.Connection, brand_id: UUID, spans: list[Span]
) -> tuple[str, ...]:
    hashes = await log.hashes(connection, brand_id, merkle.nodes_of(spans))
    return tuple(_spelled(hash) for hash in merkle.prove(spans, hashes))


def _entry(row: asyncpg.Record) -> LogEntry:
    return LogEntry(
        number=row["number"],
        event_id=row["event_id"],
        leaf=_spelled(row["hash"]),
        entry=None if row["id"] is None else entries.entry(row),
    )


def _spelled(hash: bytes) -> str:
    return b64encode(hash).decode()


def _no_checkpoint() -> Problem:
    return Problem(404, "no_checkpoint", "The log of this brand has no such checkpoint.")


def _not_yet(why: str) -> Problem:
    return Problem(409, "not_logged_yet", why)
