"""Let time pass in the registry: its rows are turned back, as nobody turns a database's clock."""

from datetime import timedelta
from uuid import UUID

from shared.database import Database

_TIMES = {
    "state": ("since", "expires_at", "paused_until"),
    "expiry": ("expires_at", "ask_at"),
    "question": ("asked_at", "open_until"),
    "pause": ("until",),
}


async def let_pass(database: Database, brand_id: UUID, time: timedelta) -> None:
    """Let so much time pass for one brand: what holds, what is asked, and what is to end."""
    async with database.connection(brand_id) as connection:
        for table, columns in _TIMES.items():
            turned = ", ".join(f"{each} = {each} - $2::interval" for each in columns)
            await connection.execute(
                f"UPDATE consent.{table} SET {turned} WHERE brand_id = $1", brand_id, time
            )
