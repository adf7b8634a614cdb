"""Who follows the feed hears of everything, once, whatever commits late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from services.consent import feed
from services.consent.record import _placed, _record
from services.consent.registry import Registry
from shared.contracts.consent import ConsentEventIn, Scope
from shared.contracts.feed import FeedItem
from shared.database import Database
from tests.consent.consent_house import House


@asynccontextmanager
async def in_hand(registry: Registry, event: ConsentEventIn) -> AsyncIterator[int]:
    """Record an event that commits when the block ends; yields its sequence."""
    async with registry.database.connection(event.brand_id) as connection:
        yield await write(connection, registry, event)


async def write(connection: asyncpg.Connection, registry: Registry, event: ConsentEventIn) -> int:
    place = await _placed(connection, event)
    return (await _record(connection, registry, event, place)).seq


async def test_the_feed_tells_what_became_true_and_nothing_else(house: House, start: int) -> None:
    await house.say("seen")
    granted = await house.say("grant")
    revoked = await house.say("revoke", scope=Scope.CHANNEL)
    await house.say("grant", at=granted.effective_at)
    blocked = await house.say("block")
    await house.say("block")
    await house.say("unblock")

    page = await house.client.feed(after=start)

    assert [(item.type, item.event_id) for item in page.items] == [
        ("consent.granted", granted.id),
        ("consent.revoked", revoked.id),
        ("consent.revoked", blocked.id),
    ]
    assert page.cursor == page.items[-1].cursor
    assert page.items[1].brand_id == house.brand_id
    assert page.items[1].at == revoked.effective_at
    assert page.items[1].data == {
        "person_id": str(revoked.person_id),
        "account_id": str(house.accounts["bot"]),
        "channel": "telegram",
        "address": "42",
        "purposes": ["marketing", "measuring"],
        "scope": "channel",
        "reason": None,
        "expires_at": None,
        "consent_event_id": str(revoked.id),
    }
    assert page.items[2].data["reason"] == "blocked"


async def test_what_commits_late_is_not_passed_over(
    house: House, registry: Registry, start: int
) -> None:
    async with in_hand(registry, house.event("grant", "slow")) as late:
        early = await house.say("grant", "quick")
        before = await house.client.feed(after=start)
    after = await house.client.feed(after=before.cursor)

    assert late < early.seq
    assert [item.data["address"] for item in before.items] == ["quick"]
    assert [item.data["address"] for item in after.items] == ["slow"]


async def test_an_older_transaction_with_a_newer_line_hides_nothing(
    house: House, registry: Registry, start: int
) -> None:
    """Transaction ids do not tell the order either: the older one writes last and commits first."""
    async with registry.database.connection(house.brand_id) as older:
        await older.execute("SELECT pg_current_xact_id()")
        async with registry.database.connection(house.brand_id) as younger:
            await write(younger, registry, house.event("grant", "younger"))
            await write(older, registry, house.event("grant", "older"))
            await older.execute("COMMIT; BEGIN")
            before = await house.client.feed(after=start)
    after = await house.client.feed(after=before.cursor)

    assert [item.data["address"] for item in (*before.items, *after.items)] == ["older", "younger"]


async def test_followers_of_many_writers_miss_nothing_and_keep_each_persons_order(
    house: House, start: int
) -> None:
    written: list[tuple[str, int]] = []
    done = asyncio.Event()

    async def talk(person: int) -> None:
        for turn in range(12):
            action = ("grant", "revoke")[turn % 2]
            recorded = await house.say(action, f"p{person}")
            written.append((f"p{person}", recorded.seq))

    async def follow() -> list[FeedItem]:
        items: list[FeedItem] = []
        cursor = start
        while not (done.is_set() and len(items) >= len(written)):
            page = await house.client.feed(after=cursor, limit=5, wait=0.5)
            items += page.items
            cursor = page.cursor
        return items

    followers = [asyncio.create_task(follow()) for _ in range(2)]
    await asyncio.gather(*(talk(person) for person in range(6)))
    done.set()
    heard = await asyncio.gather(*followers)
    sequences = await _sequences(house)

    for items in heard:
        assert len(items) == len({item.cursor for item in items}) == len(written)
        for person in range(6):
            mine = [sequences[i.event_id] for i in items if i.data["address"] == f"p{person}"]
            assert mine == sorted(mine)
            assert mine == sorted(seq for address, seq in written if address == f"p{person}")


async def _sequences(house: House) -> dict[UUID, int]:
    found = {}
    for person in range(6):
        known = await house.client.find_person(
            brand_id=house.brand_id, channel="telegram", address=f"p{person}"
        )
        history = await house.client.history(house.brand_id, known.id)
        found.update((item.id, item.seq) for item in history.items)
    return found


async def test_who_waits_is_woken_and_who_waits_in_vain_is_answered(
    house: House, registry: Registry, start: int
) -> None:
    waiting = asyncio.create_task(feed.follow(registry, after=start, limit=10, wait=20))
    recorded = await house.say("grant")
    page = await waiting
    empty = await house.client.feed(after=page.cursor, wait=0.05)

    assert [item.event_id for item in page.items] == [recorded.id]
    assert (empty.items, empty.cursor) == ((), page.cursor)


async def test_the_feed_of_another_process_is_heard_too(
    house: House, registry: Registry, start: int
) -> None:
    other = Registry(registry.database, registry.evidences, registry.signers, registry.suppressor)
    waiting = asyncio.create_task(feed.follow(other, after=start, limit=10, wait=20))
    recorded = await house.say("grant")

    assert [item.event_id for item in (await waiting).items] == [recorded.id]


async def test_a_line_that_somebody_took_out_of_the_ledger_stops_nobody(
    house: House, start: int, owner_database: Database
) -> None:
    lost = await house.say("grant", "1")
    async with owner_database.connection(house.brand_id) as connection:
        await connection.execute("ALTER TABLE consent.event DISABLE TRIGGER event_only_grows")
        await connection.execute("DELETE FROM consent.event WHERE id = $1", lost.id)
        await connection.execute("ALTER TABLE consent.event ENABLE TRIGGER event_only_grows")
        await connection.execute("DELETE FROM consent.log_arrival WHERE event_id = $1", lost.id)
    gone = await house.client.feed(after=start)
    kept = await house.say("grant", "2")
    page = await house.client.feed(after=gone.cursor)

    assert gone.items == ()
    assert gone.cursor > start
    assert [item.event_id for item in page.items] == [kept.id]
