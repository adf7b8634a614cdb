"""Is the process alive, and can it work?"""

import asyncpg
from fastapi import APIRouter

from services.dispatcher.api.parameters import TheDesk
from shared.problems import Problem

router = APIRouter(tags=["health"])

_UP = {"status": "ok"}


@router.get("/healthz", openapi_extra={"security": []})
async def alive() -> dict[str, str]:
    """Answer, whatever the database does."""
    return _UP


@router.get("/readyz", openapi_extra={"security": []})
async def ready(desk: TheDesk) -> dict[str, str]:
    """Answer 200 when the database is there and its tables too, else 503."""
    try:
        async with desk.database.connection() as connection:
            await connection.fetchval("SELECT id FROM dispatcher.lane LIMIT 1")
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
        detail = "The database lacks the dispatcher's tables."
        raise Problem(503, "not_migrated", detail) from error
    return _UP
