"""The keys of persons, each wrapped: the one row by which a person's lines can be opened."""

from collections.abc import Collection, Mapping
from uuid import UUID

import asyncpg

_FIND = """
SELECT person_id, wrapped FROM consent.person_key
WHERE brand_id = $1 AND person_id = ANY ($2::uuid[])
"""
_ADD = """
INSERT INTO consent.person_key (brand_id, person_id, wrapped)
SELECT $1, x.person_id, x.wrapped FROM unnest($2::uuid[], $3::bytea[]) AS x(person_id, wrapped)
"""
_PAGE = """
SELECT person_id, wrapped FROM consent.person_key
WHERE brand_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3
"""
_REPLACE = """
UPDATE consent.person_key k SET wrapped = x.wrapped
FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS x(person_id, before, wrapped)
WHERE k.brand_id = $1 AND k.person_id = x.person_id AND k.wrapped = x.before
"""


async def find(
    connection: asyncpg.Connection, brand_id: UUID, people: Collection[UUID]
) -> dict[UUID, bytes]:
    """Return the wrapped keys of those of these people who have one."""
    rows = await connection.fetch(_FIND, brand_id, list(people))
    return {UUID(int=person.int): wrapped for person, wrapped in rows}


async def add(
    connection: asyncpg.Connection, brand_id: UUID, wrapped: Mapping[UUID, bytes]
) -> None:
    """Store the keys of people who have none, all in one statement."""
    await connection.execute(_ADD, brand_id, list(wrapped), list(wrapped.values()))


async def page(
    connection: asyncpg.Connection, brand_id: UUID, *, after: UUID, limit: int
) -> dict[UUID, bytes]:
    """Return a brand's wrapped keys in the order of persons."""
    rows = await connection.fetch(_PAGE, brand_id, after, limit)
    return {UUID(int=person.int): wrapped for person, wrapped in rows}


async def replace(
    connection: asyncpg.Connection,
    brand_id: UUID,
    wrapped: Mapping[UUID, tuple[bytes, bytes]],
) -> int:
    """Put (before, after) in place where nothing else happened to the row; return how many."""
    done: str = await connection.execute(
        _REPLACE,
        brand_id,
        list(wrapped),
        [before for before, _ in wrapped.values()],
        [after for _, after in wrapped.values()],
    )
    return int(done.rpartition(" ")[2])
