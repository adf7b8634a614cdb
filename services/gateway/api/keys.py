"""API keys of a brand: made, listed, ended."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from services.gateway import examples, keys
from services.gateway.auth import Scope
from services.gateway.errors import not_found, wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, Limit, NewId, Parts
from services.gateway.paging import after_of, next_of
from services.gateway.queries import keys as queries
from services.gateway.tables import ApiKey
from shared import clock
from shared.contracts.base import Contract
from shared.contracts.campaigns import Name
from shared.problems import Problem

router = APIRouter(tags=["keys"], route_class=Gate)


class KeyIn(Contract):
    """A key as somebody wants it."""

    name: Name
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    expires_at: AwareDatetime | None = None


class KeyOut(Contract):
    """A key without its secret."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class KeyWithSecret(KeyOut):
    """A key as it is shown this once."""

    api_key: str


class KeyPage(Contract):
    """Keys."""

    items: tuple[KeyOut, ...]
    next: str | None = None


@router.post("/v1/keys", **worked(examples.KEY_WITH_SECRET, given=examples.KEY_IN, status=201))
@needs("keys:write", creates=True)
async def create_key(key: KeyIn, house: Parts, by: By, key_id: NewId) -> KeyWithSecret:
    """Create a key. It is shown once, and can do no more than the key that makes it."""
    beyond = sorted(set(key.scopes) - by.scopes)
    if beyond:
        raise Problem(
            403, "missing_scope", f"This key cannot give what it lacks: {', '.join(beyond)}."
        )
    now = clock.now()
    if key.expires_at is not None and key.expires_at <= now:
        raise wrong_field("/expires_at", "This is in the past.")
    shown, secret = keys.make(key_id)
    row = ApiKey(
        id=key_id,
        brand_id=by.brand_id,
        name=key.name,
        digest=house.door.digest(secret),
        scopes=sorted(set(key.scopes)),
        created_at=now,
        expires_at=key.expires_at,
    )
    async with house.database.begin() as session:
        await queries.put_key(session, row)
    return KeyWithSecret(**_shown(row), api_key=shown)


@router.get("/v1/keys", **worked(examples.page(examples.KEY)))
@needs("keys:read")
async def list_keys(house: Parts, by: By, cursor: Cursor = None, limit: Limit = 50) -> KeyPage:
    """List the brand's keys, without their secrets."""
    async with house.database.begin() as session:
        rows = await queries.keys(session, by.brand_id, after=after_of(cursor), limit=limit)
    return KeyPage(
        items=tuple(KeyOut(**_shown(row)) for row in rows),
        next=next_of([row.id for row in rows], limit),
    )


@router.delete("/v1/keys/{key_id}", **worked(status=204, meaning="The key is good no more."))
@needs("keys:write")
async def revoke_key(key_id: UUID, house: Parts, by: By) -> None:
    """End a key. Every gateway refuses it within a second."""
    async with house.database.begin() as session:
        found = await queries.revoke_key(session, by.brand_id, key_id, now=clock.now())
    if not found:
        raise not_found("key")
    house.door.forget(key_id)


def _shown(row: ApiKey) -> dict[str, object]:
    kept = row.model_dump(include=set(KeyOut.model_fields))
    return {**kept, "scopes": tuple(row.scopes)}
