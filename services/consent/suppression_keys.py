"""Notice at the start that a key is missing under which the no of erased people is kept.

Under another key nothing would break, and nothing would match: lists would bring erased people back
without a word. So the database knows every key that was ever in use, by a mark, and a service that
lacks one does not start.
"""

import asyncio
from typing import Final

import asyncpg
import structlog

from services.consent.queries import suppression as queries
from services.consent.suppression import Suppressor
from shared import clock
from shared.database import Database, DatabaseUnavailable

log = structlog.get_logger()

_WAIT_FOR_DATABASE: Final = 60.0
_PAUSE: Final = 0.5
_WHAT_TO_DO: Final = (
    "CONSENT_SUPPRESSION_KEY lacks {count} of the keys under which this database keeps the no of"
    " erased people. Put each of them back, before the newest and with commas between: OLD,NEW."
    " They cannot be replaced: nobody knows the addresses any more. They are in the copies of the"
    " environment that operators keep apart from the backups."
)


class SuppressionKeyMissing(Exception):
    """The service must not start; the text says what to do, and tells no key."""


async def check(database: Database, suppressor: Suppressor) -> None:
    """Return when all keys that were ever used are at hand, and the newest is written down.

    Raises `SuppressionKeyMissing`, or what the database raises when it stays away for a minute.
    """
    until = clock.ticks() + _WAIT_FOR_DATABASE
    while True:
        try:
            await _check(database, suppressor)
        except (DatabaseUnavailable, OSError, asyncpg.PostgresConnectionError):
            if clock.ticks() > until:
                raise
            await asyncio.sleep(_PAUSE)
        else:
            return


async def _check(database: Database, suppressor: Suppressor) -> None:
    async with database.connection() as connection:
        # First our own: of two that start at once with different keys, the second sees the first's.
        await queries.use_key(connection, suppressor.marks[-1])
        missing = set(await queries.keys_in_use(connection)) - set(suppressor.marks)
        if missing:
            text = _WHAT_TO_DO.format(count=len(missing))
            log.error("suppression_key.missing", help=text)
            raise SuppressionKeyMissing(text)
