"""Who owns which lane. These tables hold no tenant data and are read across brands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane as its owner holds it."""

    id: UUID
    brand_id: UUID
    kind: str
    epoch: int


async def join(connection: asyncpg.Connection, *, member_id: UUID) -> None:
    """Become a member: one life of one dispatcher process."""
    await connection.execute("INSERT INTO dispatcher.member (id) VALUES ($1)", member_id)


async def beat(connection: asyncpg.Connection, *, member_id: UUID) -> bool:
    """Renew the lease on every lane of this member; false when others declared it dead."""
    return bool(
        await connection.fetchval(
            "UPDATE dispatcher.member SET beat = beat + 1 WHERE id = $1 AND NOT dead"
            " RETURNING true",
            member_id,
        )
    )


async def others(connection: asyncpg.Connection, *, member_id: UUID) -> dict[UUID, int]:
    """Return the beats of all other members that nobody declared dead."""
    rows = await connection.fetch(
        "SELECT id, beat FROM dispatcher.member WHERE NOT dead AND id <> $1", member_id
    )
    return {row["id"]: row["beat"] for row in rows}


async def bury(connection: asyncpg.Connection, *, member_id: UUID, beat: int) -> bool:
    """Declare a member dead whose beat has not moved since, and free its lanes."""
    dead = await connection.fetchval(
        "UPDATE dispatcher.member SET dead = true WHERE id = $1 AND beat = $2 AND NOT dead"
        " RETURNING true",
        member_id,
        beat,
    )
    if dead:
        await connection.execute(
            "UPDATE dispatcher.lane SET owner = NULL, epoch = epoch + 1, wake_at = now()"
            " WHERE owner = $1",
            member_id,
        )
        await connection.execute(
            "DELETE FROM dispatcher.member WHERE dead AND started_at < now() - interval '1 day'"
        )
    return bool(dead)


async def leave(connection: asyncpg.Connection, *, member_id: UUID) -> None:
    """Free every lane and go."""
    await connection.execute(
        "UPDATE dispatcher.lane SET owner = NULL, epoch = epoch + 1, wake_at = now()"
        " WHERE owner = $1",
        member_id,
    )
    await connection.execute("DELETE FROM dispatcher.member WHERE id = $1", member_id)


async def counts(connection: asyncpg.Connection, *, member_id: UUID) -> tuple[int, int, int, int]:
    """Return how many lanes there are, are free, are ours, and how many members live."""
    row = await connection.fetchrow(
        "SELECT count(*), count(*) FILTER (WHERE owner IS NULL),"
        " count(*) FILTER (WHERE owner = $1),"
        " (SELECT count(*) FROM dispatcher.member WHERE NOT dead) FROM dispatcher.lane",
        member_id,
    )
    return tuple(row)


async def take(connection: asyncpg.Connection, *, member_id: UUID, limit: int) -> list[Lane]:
    """Take free lanes, each under a new epoch."""
    rows = await connection.fetch(
        "UPDATE dispatcher.lane SET owner = $1, epoch = epoch + 1, wake_at = 'infinity'"
        " WHERE id IN (SELECT id FROM dispatcher.lane WHERE owner IS NULL ORDER BY wake_at"
        " LIMIT $2 FOR UPDATE SKIP LOCKED)"
        " AND EXISTS (SELECT FROM dispatcher.member WHERE id = $1 AND NOT dead)"
        " RETURNING id, brand_id, kind, epoch",
        member_id,
        limit,
    )
    return [Lane(*row) for row in rows]


async def owned(connection: asyncpg.Connection, *, member_id: UUID) -> list[Lane]:
    """Return the lanes of this member."""
    rows = await connection.fetch(
        "SELECT id, brand_id, kind, epoch FROM dispatcher.lane WHERE owner = $1", member_id
    )
    return [Lane(*row) for row in rows]


async def free_orphans(connection: asyncpg.Connection) -> int:
    """Free lanes whose owner lives no more; return how many.

    A member that was buried while its taking of a lane was not committed yet owns it afterwards.
    """
    rows = await connection.fetch(
        "UPDATE dispatcher.lane SET owner = NULL, epoch = epoch + 1, wake_at = now()"
        " WHERE id IN (SELECT id FROM dispatcher.lane l WHERE owner IS NOT NULL AND NOT EXISTS ("
        "   SELECT FROM dispatcher.member m WHERE m.id = l.owner AND NOT m.dead)"
        "   ORDER BY id FOR UPDATE OF l SKIP LOCKED) RETURNING id"
    )
    return len(rows)


async def give(connection: asyncpg.Connection, *, lanes: Mapping[UUID, int]) -> None:
    """Give lanes (id → epoch) back in good order: nothing of ours is in flight there."""
    await connection.execute(
        "UPDATE dispatcher.lane l SET owner = NULL, epoch = l.epoch + 1, wake_at = now()"
        " FROM unnest($1::uuid[], $2::bigint[]) AS x(id, epoch)"
        " WHERE l.id = x.id AND l.epoch = x.epoch",
        list(lanes),
        list(lanes.values()),
    )


async def woken(connection: asyncpg.Connection, *, member_id: UUID) -> Sequence[Lane]:
    """Return our lanes that have something to do, and forget that they were woken."""
    rows = await connection.fetch(
        "UPDATE dispatcher.lane SET wake_at = 'infinity' WHERE owner = $1 AND wake_at <= now()"
        " RETURNING id, brand_id, kind, epoch",
        member_id,
    )
    return [Lane(*row) for row in rows]


async def wake(connection: asyncpg.Connection, *, lane_id: UUID, seconds: float = 0.0) -> None:
    """Say that a lane will have something to do in so many seconds."""
    await connection.execute(
        "UPDATE dispatcher.lane SET wake_at = least(wake_at, now() + make_interval(secs => $2))"
        " WHERE id = $1",
        lane_id,
        seconds,
    )


async def sleep_until(connection: asyncpg.Connection, *, lane_id: UUID, at: datetime) -> None:
    """Let a lane be woken at this moment, or when its pause is over, if nothing wakes it sooner."""
    await connection.execute(
        "UPDATE dispatcher.lane SET wake_at = least(wake_at, greatest($2, paused_until))"
        " WHERE id = $1",
        lane_id,
        at,
    )


async def pause(connection: asyncpg.Connection, *, lane_id: UUID, seconds: float) -> None:
    """Let nothing leave on this lane for so many seconds."""
    await connection.execute(
        "UPDATE dispatcher.lane SET"
        " paused_until = greatest(paused_until, now() + make_interval(secs => $2)),"
        " wake_at = least(wake_at, now() + make_interval(secs => $2)) WHERE id = $1",
        lane_id,
        seconds,
    )


async def unpause(connection: asyncpg.Connection, *, lane_id: UUID) -> None:
    """Let a lane go on at once: its account was mended."""
    await connection.execute(
        "UPDATE dispatcher.lane SET paused_until = '-infinity', wake_at = now() WHERE id = $1",
        lane_id,
    )


async def paused_for(connection: asyncpg.Connection, *, lane_id: UUID) -> float:
    """Return the seconds that a lane must still be silent; 0 or less when it may speak."""
    seconds: float | None = await connection.fetchval(
        "SELECT extract(epoch FROM greatest(paused_until, now()) - now())::float8"
        " FROM dispatcher.lane WHERE id = $1",
        lane_id,
    )
    return seconds or 0.0
