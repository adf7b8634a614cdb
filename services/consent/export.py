"""Write a brand's log out, for an auditor who has nothing of ours: see `shared/ledger/verify.py`.

The events come from the ledger's lines and the hashes from the log. So whoever changed a line in
the database finds it named by the verifier.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from services.consent.queries import log
from services.consent.signers import Signers
from shared.database import Database
from shared.ledger import entries

VERSION = 1
_CHECKPOINTS = 50


async def lines(database: Database, signers: Signers, brand_id: UUID) -> AsyncIterator[bytes]:
    """Yield the export up to the newest checkpoint; memory holds what a few checkpoints cover."""
    key = signers.of(brand_id).key
    yield _line({"type": "ledger", "version": VERSION, "origin": key.name, "key": str(key)})
    size = 0
    while heads := await _heads(database, brand_id, after=size):
        for head in heads:
            rows = await _leaves(database, brand_id, begin=size, end=head["size"])
            for row in rows:
                # A line that somebody deleted is left out; the verifier says which.
                if row["id"] is not None:
                    yield _line(event_line(row))
            leaves = [b64encode(row["hash"]).decode() for row in rows]
            yield _line({"type": "checkpoint", "note": head["note"], "leaves": leaves})
            size = head["size"]
    yield _line({"type": "end", "size": size})


def event_line(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an export says of one event."""
    return {
        "type": "event",
        "number": row["number"],
        "entry": entries.entry(row),
        "sealed": b64encode(row["sealed"]).decode(),
    }


async def _heads(database: Database, brand_id: UUID, *, after: int) -> list[asyncpg.Record]:
    async with database.connection(brand_id) as connection:
        return await log.checkpoints(connection, brand_id, after=after, limit=_CHECKPOINTS)


async def _leaves(
    database: Database, brand_id: UUID, *, begin: int, end: int
) -> list[asyncpg.Record]:
    async with database.connection(brand_id) as connection:
        return await log.read(connection, brand_id, begin=begin, end=end)


def _line(value: dict[str, Any]) -> bytes:
    return entries.canonical(value) + b"\n"
