"""Notice at the start that a key is missing under which the no of erased people is kept.

Under another key nothing would break, and nothing would match: lists would bring erased people back
without a word. So the database knows every key that was ever in use, by a mark, and a service that
lacks one does not start. While the database is away nobody can know: then the service is up, and
answers nothing until it has looked.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import structlog

from services.consent.queries import suppression as queries
from services.consent.registry import Door
from services.consent.suppression import Suppressor
from shared.database import Database, DatabaseUnavailable
from shared.problems import Problem

log = structlog.get_logger()

_PAUSE: Final = 0.5
_AWAY: Final = (DatabaseUnavailable, OSError, asyncpg.PostgresConnectionError)
_WHAT_TO_DO: Final = (
    "CONSENT_SUPPRESSION_KEY lacks {count} of the keys under which this database keeps the no of"
    " erased people. Put each of them back, before the newest and with commas between: OLD,NEW."
    " They cannot be replaced: nobody knows the addresses any more. They are in the copies of the"
    " environment that operators keep apart from the backups."
)


class SuppressionKeyMissing(Exception):
    """The service must not start; the text says what to do, and tells no key."""


@asynccontextmanager
async def checked(
    database: Database, suppressor: Suppressor, door: Door, begin: Callable[[], None]
) -> AsyncIterator[None]:
    """Let the service work: `begin` once its keys were seen to be all, with the `door` shut before.

    Raises `SuppressionKeyMissing` at the start. Where the database is away then, the door stays
    shut until it is back, and for good where a key is missing.
    """
    try:
        await _check(database, suppressor)
    except _AWAY:
        door.shut = _not_looked()
        waiting = asyncio.create_task(_until_checked(database, suppressor, door, begin))
        try:
            yield
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
    else:
        begin()
        yield


async def _until_checked(
    database: Database, suppressor: Suppressor, door: Door, begin: Callable[[], None]
) -> None:
    while True:
        await asyncio.sleep(_PAUSE)
        try:
            await _check(database, suppressor)
        except _AWAY:
            continue
        except asyncpg.PostgresError as error:
            # Not migrated yet, perhaps.
            log.warning("suppression_key.not_checked", error=type(error).__name__)
            continue
        except SuppressionKeyMissing as error:
            door.shut = Problem(503, "suppression_key_missing", str(error))
            return
        door.shut = None
        begin()
        return


def _not_looked() -> Problem:
    text = "The database is away, and the keys were not compared with it yet. Try again."
    return Problem(503, "starting", text)


async def _check(database: Database, suppressor: Suppressor) -> None:
    async with database.connection() as connection:
        # First our own: of two that start at once with different keys, the second sees the first's.
        await queries.use_key(connection, suppressor.marks[-1])
        missing = set(await queries.keys_in_use(connection)) - set(suppressor.marks)
        if missing:
            text = _WHAT_TO_DO.format(count=len(missing))
            log.error("suppression_key.missing", help=text)
            raise SuppressionKeyMissing(text)
