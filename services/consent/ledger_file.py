"""An export of a brand's log as a file, for the command line."""

from pathlib import Path
from uuid import UUID

from services.consent import export
from services.consent.settings import Settings
from services.consent.signers import Signers
from shared.database import Database


async def write(settings: Settings, brand_id: UUID, to: Path) -> str:
    """Write the file and return the key that verifies it; an export is never written over."""
    database = Database(
        settings.database_url.get_secret_value(), pool_size=2, name="permesso ledger export"
    )
    signers = Signers(settings.ledger_origin, settings.ledger_key.get_secret_value())
    try:
        with to.open("xb") as file:
            async for line in export.lines(database, signers, brand_id):
                file.write(line)
    finally:
        await database.close()
    return str(signers.of(brand_id).key)
