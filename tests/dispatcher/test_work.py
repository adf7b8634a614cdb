"""The list of things to be done: each is done, whoever dies on the way."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.dispatcher.work import DONE, Item, WorkRunner, later, never
from shared.database import Database
from shared.ids import new_id

BRAND = new_id()


async def put(database: Database, kind: str = "finish", **more: object) -> UUID:
    subject = new_id()
    async with database.connection() as connection:
        await later(connection, BRAND, kind, subject, **more)
    return subject


async def left(database: Database) -> list[tuple[str, int, bool]]:
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT kind, attempts, due_at <= now() AS due FROM dispatcher.work ORDER BY kind"
        )
    return [tuple(row) for row in rows]


async def test_what_is_done_is_gone(dispatcher_database: Database) -> None:
    subject = await put(dispatcher_database)
    seen: list[Item] = []

    async def handle(item: Item) -> timedelta | None:
        seen.append(item)
        return DONE

    runner = WorkRunner(dispatcher_database, {"finish": handle})

    assert await runner.step() == 1
    assert await runner.step() == 0
    assert [(i.brand_id, i.kind, i.subject_id) for i in seen] == [(BRAND, "finish", subject)]
    assert await left(dispatcher_database) == []


async def test_what_comes_again_waits_as_it_says(dispatcher_database: Database) -> None:
    await put(dispatcher_database)

    async def handle(item: Item) -> timedelta | None:
        return timedelta(hours=1)

    await WorkRunner(dispatcher_database, {"finish": handle}).step()

    assert await left(dispatcher_database) == [("finish", 0, False)]


async def test_what_breaks_is_tried_again_and_holds_up_nobody(
    dispatcher_database: Database,
) -> None:
    await put(dispatcher_database, "finish")
    await put(dispatcher_database, "cancel")

    async def breaks(item: Item) -> timedelta | None:
        raise ValueError("a bug")

    async def works(item: Item) -> timedelta | None:
        return DONE

    done = await WorkRunner(dispatcher_database, {"finish": breaks, "cancel": works}).step()

    assert done == 2
    assert await left(dispatcher_database) == [("finish", 1, False)]


async def test_two_workers_do_not_share_an_item_until_its_lease_is_over(
    dispatcher_database: Database,
) -> None:
    await put(dispatcher_database)
    begun, go_on = asyncio.Event(), asyncio.Event()
    times = 0

    async def slow(item: Item) -> timedelta | None:
        nonlocal times
        times += 1
        begun.set()
        await go_on.wait()
        return DONE

    runner = WorkRunner(dispatcher_database, {"finish": slow})
    async with asyncio.TaskGroup() as group:
        group.create_task(runner.step())
        await begun.wait()
        while_leased = await runner.step()
        async with dispatcher_database.connection() as connection:
            await connection.execute("UPDATE dispatcher.work SET due_at = now()")
        go_on.set()
        after_the_lease = await runner.step()

    assert (while_leased, after_the_lease, times) == (0, 1, 2)


async def test_what_is_put_on_the_list_again_meanwhile_is_not_lost(
    dispatcher_database: Database,
) -> None:
    subject = await put(dispatcher_database)

    async def handle(item: Item) -> timedelta | None:
        async with dispatcher_database.connection() as connection:
            await later(connection, BRAND, "finish", subject)
        return DONE

    await WorkRunner(dispatcher_database, {"finish": handle}).step()

    assert await left(dispatcher_database) == [("finish", 0, True)]


async def test_later_moves_forward_never_back(dispatcher_database: Database) -> None:
    hour = datetime.now(UTC) + timedelta(hours=1)
    subject = await put(dispatcher_database, due_at=hour)
    async with dispatcher_database.connection() as connection:
        await later(connection, BRAND, "finish", subject)
        await later(connection, BRAND, "finish", subject, due_at=hour)

    assert await left(dispatcher_database) == [("finish", 0, True)]


async def test_never_takes_it_off(dispatcher_database: Database) -> None:
    subject = await put(dispatcher_database)
    async with dispatcher_database.connection() as connection:
        await never(connection, "finish", subject)

    assert await left(dispatcher_database) == []
