"""Take what was recorded into the brand's log, and sign where it stands: about once a second.

    brands with arrivals → of each: lock its log → take what arrived → grow the tree → sign, commit

All of it is one transaction, so a notary that dies leaves nothing half done, and nobody has seen a
signature that was not stored. Any number of them can work side by side.
"""

import asyncio
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter

from services.consent.queries import feed, log
from services.consent.registry import Registry
from shared import failpoints
from shared.ids import derived_id
from shared.ledger import entries, merkle
from shared.ledger.merkle import Tree
from shared.ledger.notes import Checkpoint, NoteSigner

events = structlog.get_logger()

BATCH = 1_000
_AT_A_TIME = 50
"""Leaves that are hashed before others have their turn."""
TELL_EVERY = 60.0
"""Seconds between two checkpoints of one brand that its callbacks and the witness hear of."""

_LOGGED = Counter("permesso_consent_logged_total", "Events that were taken into a log.")
_BROKEN = Counter("permesso_consent_logs_broken_total", "Times that a log did not fit its head.")


class LogBroken(Exception):
    """What is stored does not fit the last checkpoint: nothing more is signed for this log."""


class Notary:
    """A worker."""

    def __init__(self, registry: Registry, *, batch: int = BATCH) -> None:
        """Work in this registry, on so many events of a brand at once."""
        self._registry = registry
        self._batch = batch

    async def step(self) -> int:
        """Take in what has arrived; return how much, or 0 to rest where nothing is left.

        A checkpoint for every event would be no better than one a second, and dearer.
        """
        async with self._registry.database.connection() as connection:
            brands = await log.waiting(connection)
        logged, more = 0, False
        for brand_id in brands:
            try:
                taken = await self.advance(brand_id)
            except LogBroken as error:
                _BROKEN.inc()
                events.error("log.broken", brand=brand_id, reason=str(error))
                continue
            logged += taken
            more = more or taken == self._batch
        await self._tell()
        return logged if more else 0

    async def advance(self, brand_id: UUID) -> int:
        """Take one batch into one log; return how many, 0 too where another notary is at it."""
        async with self._registry.database.connection(brand_id) as connection:
            if not await log.try_lock(connection, brand_id):
                return 0
            lines = await log.take(connection, brand_id, limit=self._batch)
            if not lines:
                return 0
            await failpoints.reach("consent.notary_took")
            tree = await _resume(connection, brand_id)
            await _grow(connection, brand_id, tree, lines)
            await failpoints.reach("consent.notary_grew")
            await _sign(connection, brand_id, tree, self._registry.signers.of(brand_id))
            await failpoints.reach("consent.notary_signed")
        await failpoints.reach("consent.notary_committed")
        _LOGGED.inc(len(lines))
        events.info("log.advanced", brand=brand_id, size=tree.size, added=len(lines))
        return len(lines)

    async def _tell(self) -> None:
        async with self._registry.database.connection() as connection:
            told = await feed.tell_checkpoints(connection, every=TELL_EVERY)
        if told:
            self._registry.bell.ring()


async def _resume(connection: asyncpg.Connection, brand_id: UUID) -> Tree:
    """Return the tree where the last checkpoint left it; raise `LogBroken` if it is not there."""
    head = await log.head(connection, brand_id)
    if head is None:
        return Tree()
    nodes = merkle.cover(0, head["size"])
    hashes = await log.hashes(connection, brand_id, nodes)
    if len(hashes) != len(nodes):
        raise LogBroken(f"nodes of the tree of {head['size']} leaves are missing")
    tree = Tree(head["size"], [hashes[node] for node in nodes])
    if tree.root() != head["root"]:
        # Going on would sign two histories.
        raise LogBroken(f"the tree of {head['size']} leaves has another root than was signed")
    return tree


async def _grow(
    connection: asyncpg.Connection, brand_id: UUID, tree: Tree, lines: list[asyncpg.Record]
) -> None:
    first, leaves, nodes = tree.size, {}, []
    for number, line in enumerate(lines):
        if number % _AT_A_TIME == 0:
            # Checks are answered by this very process, and must not wait for a whole batch.
            await asyncio.sleep(0)
        leaf = merkle.leaf_hash(entries.canonical(entries.entry(line)))
        leaves[line["id"]] = leaf
        nodes += tree.append(leaf)
    await log.add_leaves(connection, brand_id, first=first, leaves=leaves)
    await log.add_nodes(connection, brand_id, nodes)


async def _sign(
    connection: asyncpg.Connection, brand_id: UUID, tree: Tree, signer: NoteSigner
) -> None:
    head = Checkpoint(signer.key.name, tree.size, tree.root())
    await log.add_checkpoint(
        connection,
        brand_id,
        size=head.size,
        checkpoint_id=derived_id(brand_id, f"checkpoint/{head.size}"),
        root=head.root,
        note=signer.sign(head.text()),
    )
