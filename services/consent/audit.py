"""Compare what is stored of a brand's ledger with what its log has signed, row by row.

    line of the ledger → its leaf → the tree's nodes → each checkpoint's root → its signature

It reads a batch at a time, so a ledger of any size needs little memory; the log goes on meanwhile.
An export leaves this to its reader; an audit is for the operator, who can compare with a backup.
"""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

from services.consent.queries import log
from services.consent.signers import Signers
from shared.database import Database
from shared.ledger import entries, merkle
from shared.ledger.merkle import Node, Tree
from shared.ledger.notes import Checkpoint, NoteKey, NoteRefused, open_note

BATCH = 1_000


class Finding(NamedTuple):
    """Something that does not fit."""

    code: str
    """`line_changed`, `line_gone`, `leaf_gone`, `node_changed`, `node_gone`, `root`, `signature`,
    `head_gone` or `not_logged`."""
    text: str


class Audit:
    """One pass over one brand's ledger."""

    def __init__(
        self,
        database: Database,
        brand_id: UUID,
        keys: Sequence[NoteKey],
        *,
        batch: int = BATCH,
    ) -> None:
        """Believe checkpoints that one of the keys has signed."""
        self._database = database
        self._brand_id = brand_id
        self._keys = keys
        self._batch = batch
        self._tree = Tree()
        self._whole = True
        """No leaf was missing so far: the tree can be compared with what was signed."""
        self.lines = 0
        self.checkpoints = 0

    async def run(self) -> AsyncIterator[Finding]:
        """Yield what does not fit; nothing where all does."""
        while heads := await self._heads():
            for head in heads:
                while self._tree.size < head["size"]:
                    end = min(self._tree.size + self._batch, head["size"])
                    for finding in await self._leaves(end):
                        yield finding
                for finding in self._check_head(head):
                    yield finding
        async for finding in self._outside():
            yield finding

    async def _heads(self) -> list[asyncpg.Record]:
        async with self._database.connection(self._brand_id) as connection:
            return await log.checkpoints(
                connection, self._brand_id, after=self._tree.size, limit=self._batch
            )

    async def _leaves(self, end: int) -> list[Finding]:
        """Compare the next leaves with their lines, and let the tree grow by them."""
        begin = self._tree.size
        async with self._database.connection(self._brand_id) as connection:
            rows = await log.read(connection, self._brand_id, begin=begin, end=end)
            by_number = {row["number"]: row for row in rows}
            found, made = [], dict[Node, bytes]()
            for number in range(begin, end):
                row = by_number.get(number)
                if row is None:
                    self._whole = False
                    found.append(Finding("leaf_gone", f"Leaf {number} is gone."))
                    self._tree.append(merkle.EMPTY_ROOT)
                    continue
                found += _check_line(number, row)
                made |= self._tree.append(row["hash"])
            self.lines += len(rows)
            if self._whole:
                stored = await log.hashes(connection, self._brand_id, list(made))
                found += _check_nodes(made, stored)
        return found

    def _check_head(self, head: asyncpg.Record) -> list[Finding]:
        self.checkpoints += 1
        what = f"the checkpoint of {head['size']} events"
        try:
            signed = Checkpoint.parse(open_note(head["note"], self._keys))
        except NoteRefused as error:
            return [Finding("signature", f"Nobody whom we trust has signed {what}: {error}.")]
        if (signed.size, signed.root) != (head["size"], head["root"]):
            return [Finding("signature", f"The row of {what} says something else than its note.")]
        if self._whole and signed.root != self._tree.root():
            return [Finding("root", f"The leaves under {what} have another root than was signed.")]
        return []

    async def _outside(self) -> AsyncIterator[Finding]:
        """Find leaves that no checkpoint covers, and lines that are neither in the log nor wait."""
        async with self._database.connection(self._brand_id) as connection:
            beyond = await log.uncovered(connection, self._brand_id)
        if beyond:
            text = f"{beyond} leaves stand under no checkpoint: the newest were taken away."
            yield Finding("head_gone", text)
        seq = 0
        while True:
            async with self._database.connection(self._brand_id) as connection:
                lines = await log.logged(connection, self._brand_id, after=seq, limit=self._batch)
            for line in lines:
                if not line["logged"]:
                    text = f"The line of event {line['id']} (seq {line['seq']}) is not in the log."
                    yield Finding("not_logged", text)
            if len(lines) < self._batch:
                return
            seq = lines[-1]["seq"]


async def audit(
    database: Database, signers: Signers, brand_id: UUID, *, old_keys: Sequence[NoteKey] = ()
) -> tuple[Audit, list[Finding]]:
    """Audit one brand's ledger; return the audit, which has counted, and what it found."""
    done = Audit(database, brand_id, [signers.of(brand_id).key, *old_keys])
    return done, [finding async for finding in done.run()]


def _check_line(number: int, row: asyncpg.Record) -> list[Finding]:
    name = f"event {row['event_id']} (number {number})"
    if row["id"] is None:
        return [Finding("line_gone", f"The line of {name} is gone.")]
    if merkle.leaf_hash(entries.canonical(entries.entry(row))) != row["hash"]:
        return [Finding("line_changed", f"The line of {name} is not the one that was logged.")]
    return []


def _check_nodes(made: dict[Node, bytes], stored: dict[Node, bytes]) -> list[Finding]:
    found = []
    for node, hash in made.items():
        if node.level == 0:
            continue
        name = f"node {node.number} of level {node.level}"
        if node not in stored:
            found.append(Finding("node_gone", f"The {name} is gone."))
        elif stored[node] != hash:
            found.append(Finding("node_changed", f"The {name} has another hash."))
    return found
