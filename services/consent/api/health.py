"""Is the process alive, and can it work?"""

import asyncpg
from fastapi import APIRouter

from services.consent.api.access import TheRegistry
from shared.problems import Problem

router = APIRouter(tags=["health"])

_UP = {"status": "ok"}


@router.get("/healthz", openapi_extra={"security": []})
async def alive() -> dict[str, str]:
    """Answer, whatever the database does."""
    return _UP


@router.get("/readyz", openapi_extra={"security": []})
async def ready(registry: TheRegistry) -> dict[str, str]:
    """Answer 200 when the database is there and its tables too, else 503."""
    try:
        async with registry.database.connection() as connection:
            await connection.fetchval("SELECT cursor FROM consent.feed LIMIT 1")
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
        raise Problem(503, "not_migrated", "The database lacks the registry's tables.") from error
    return _UP
