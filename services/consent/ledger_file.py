"""A brand's log for the command line: exported as a file, or audited where it is stored."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from services.consent import export
from services.consent.audit import Audit, Finding
from services.consent.audit import audit as run_audit
from services.consent.settings import Settings
from services.consent.signers import Signers
from shared.database import Database
from shared.ledger.notes import NoteKey


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


async def audit(
    settings: Settings, brand_id: UUID, *, old_keys: Sequence[NoteKey] = ()
) -> tuple[Audit, list[Finding]]:
    """Compare what is stored of a brand's ledger with what its log has signed."""
    database = Database(
        settings.database_url.get_secret_value(), pool_size=2, name="permesso ledger audit"
    )
    signers = Signers(settings.ledger_origin, settings.ledger_key.get_secret_value())
    try:
        return await run_audit(database, signers, brand_id, old_keys=old_keys)
    finally:
        await database.close()
