"""Hand the ledger's checkpoints to a witness, so that no history can be rewritten behind its back.

A checkpoint proves something only when somebody else has it too. The witness is any URL that keeps
what it is sent: a bucket whose objects are locked, a notary's inbox, another company's log.
"""

import asyncpg
import structlog
from prometheus_client import Counter

from services.dispatcher.feed import advance, find_position
from shared.clients.base import ServiceUnavailable
from shared.clients.consent import ConsentClient
from shared.contracts.feed import FeedItem
from shared.database import Database
from shared.http import SendingClient, SendingError

log = structlog.get_logger()

NAME = "witness"
LIMIT = 1_000
ANSWER_WITHIN = 10.0
"""Seconds for the witness to answer."""
_AGAIN = frozenset({408, 425, 429})
_HEADERS = {"Content-Type": "text/plain; charset=utf-8"}

_SHOWN = Counter("permesso_witness_checkpoints_total", "Checkpoints, by what became.", ["outcome"])


class NotTaken(Exception):
    """The witness did not take a checkpoint, and may take it later."""


class Witness:
    """A worker that follows consent's feed by itself: nobody waits for it.

    At least once: of several followers each may post the same checkpoint.
    """

    def __init__(
        self, database: Database, consent: ConsentClient, client: SendingClient, *, url: str
    ) -> None:
        """Go on where the last one stood."""
        self._database = database
        self._consent = consent
        self._client = client
        self._url = url
        self._missing = False

    async def step(self) -> int:
        """Show what is new; return how much was looked at, 0 when nobody takes it now."""
        async with self._database.connection() as connection:
            position = await find_position(connection, NAME)
        try:
            feed = await self._consent.feed(after=position, limit=LIMIT)
            # Of each log the newest one of the page says all that those before it said.
            newest = {each.brand_id: each for each in feed.items if _is_checkpoint(each)}
            for item in newest.values():
                await self._show(item)
        except (ServiceUnavailable, NotTaken) as error:
            if not self._missing:
                log.warning("witness.waiting", reason=str(error))
            self._missing = True
            return 0
        self._missing = False
        async with self._database.connection() as connection:
            await self._move(connection, position, feed.cursor)
        return len(feed.items)

    async def _show(self, item: FeedItem) -> None:
        body = str(item.data["note"]).encode()
        try:
            answer = await self._client.post(
                self._url, headers=_HEADERS, body=body, timeout=ANSWER_WITHIN
            )
        except SendingError as error:
            raise NotTaken(error.code) from error
        if answer.status >= 500 or answer.status in _AGAIN:
            raise NotTaken(f"it answered {answer.status}")
        outcome = "shown" if 200 <= answer.status < 300 else "refused"
        _SHOWN.labels(outcome).inc()
        tell = log.info if outcome == "shown" else log.error
        tell(f"witness.{outcome}", brand=item.brand_id, size=item.data["size"], code=answer.status)

    async def _move(self, connection: asyncpg.Connection, before: int, after: int) -> None:
        if after > before:
            await advance(connection, NAME, before, after)


def _is_checkpoint(item: FeedItem) -> bool:
    return item.type == "ledger.checkpoint"
