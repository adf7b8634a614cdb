"""Put the keys of persons under the service's newest key, so that an older one can be destroyed.

What is under the persons' keys does not change, and so the log, which has its hash, stays true.
"""

from uuid import UUID

from services.consent.evidence import Evidences
from services.consent.queries import log, person_keys
from services.consent.settings import Settings
from shared.database import Database
from shared.security.sealing import Sealer

_AT_ONCE = 500
_FIRST = UUID(int=0)


async def run(settings: Settings) -> int:
    """Wrap anew whatever is under an older key, of all brands; return how many keys."""
    database = Database(
        settings.database_url.get_secret_value(), pool_size=2, name="permesso rewrap"
    )
    evidences = Evidences(Sealer.from_base64(settings.sealing_keys_plain()))
    try:
        return sum([await rewrap(database, evidences, each) for each in await _brands(database)])
    finally:
        await database.close()


async def rewrap(database: Database, evidences: Evidences, brand_id: UUID) -> int:
    """Wrap one brand's keys anew, a few hundred in a transaction; return how many."""
    after, done = _FIRST, 0
    while True:
        async with database.connection(brand_id) as connection:
            page = await person_keys.page(connection, brand_id, after=after, limit=_AT_ONCE)
            if not page:
                return done
            older = {
                who: (key, evidences.rewrap(key, brand_id=brand_id, person_id=who))
                for who, key in page.items()
                if not evidences.is_current(key)
            }
            done += await person_keys.replace(connection, brand_id, older)
        after = max(page)


async def _brands(database: Database) -> list[UUID]:
    async with database.connection() as connection:
        return await log.brands(connection)
