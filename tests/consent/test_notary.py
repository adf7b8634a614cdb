"""What was recorded comes into the log once, in order, whoever writes, dies or works beside."""

import asyncio
import os
import signal
import sys
import time
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import asyncpg
import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from services.consent.app import create_app
from services.consent.expiry import Expiry
from services.consent.notary import Notary
from services.consent.queries import log, person_keys
from services.consent.registry import Registry
from shared import clock
from shared.contracts.feed import Feed, FeedItem
from shared.database import Database
from shared.ledger import entries, merkle
from shared.ledger.notes import Checkpoint, open_note
from shared.security.sealing import SealBroken, Sealer
from tests.consent.consent_house import House, settings_for
from tests.consent.test_consent_feed import in_hand
from tests.postgres import Urls


async def leaves(registry: Registry, house: House) -> list[asyncpg.Record]:
    async with registry.database.connection(house.brand_id) as connection:
        return await log.read(connection, house.brand_id, begin=0, end=1 << 40)


async def checkpoints(registry: Registry, house: House) -> list[Checkpoint]:
    """Every checkpoint of the house's log, its signature verified."""
    key = registry.signers.of(house.brand_id).key
    async with registry.database.connection(house.brand_id) as connection:
        rows = await log.checkpoints(connection, house.brand_id, after=0, limit=1 << 20)
    return [Checkpoint.parse(open_note(row["note"], [key])) for row in rows]


async def assert_whole(registry: Registry, house: House, ids: list[UUID] | set[UUID]) -> None:
    """Each event is in the log once, and every checkpoint is the head of the tree at its size."""
    rows = await leaves(registry, house)
    tree, roots = merkle.Tree(), {}
    for row in rows:
        assert row["hash"] == merkle.leaf_hash(entries.canonical(entries.entry(row)))
        tree.append(row["hash"])
        roots[tree.size] = tree.root()
    assert [row["number"] for row in rows] == list(range(len(rows)))
    assert len(rows) == len(ids)
    assert {row["id"] for row in rows} == set(ids)
    heads = await checkpoints(registry, house)
    assert heads[-1].size == len(rows)
    for head in heads:
        assert head.root == roots[head.size]
        assert head.origin == f"aurora.example/ledger/{house.brand_id}"
    async with registry.database.connection() as connection:
        waiting = await connection.fetchval(
            "SELECT count(*) FROM consent.log_arrival WHERE brand_id = $1", house.brand_id
        )
    assert waiting == 0


async def test_what_is_recorded_is_in_the_log_and_signed(house: House, registry: Registry) -> None:
    said = [await house.say("grant"), await house.say("revoke")]
    first = await Notary(registry).advance(house.brand_id)
    said += [
        await house.say("grant", "43"),
        await house.say("block"),
        await house.say("seen", "44"),
    ]
    second = await Notary(registry).advance(house.brand_id)
    third = await Notary(registry).advance(house.brand_id)

    assert (first, second, third) == (2, 3, 0)
    assert [head.size for head in await checkpoints(registry, house)] == [2, 5]
    assert [row["id"] for row in await leaves(registry, house)] == [each.id for each in said]
    await assert_whole(registry, house, [each.id for each in said])


async def test_a_step_takes_every_brand_and_rests_when_nothing_is_left(
    house: House, registry: Registry
) -> None:
    other = await House(house.client).open(bot="telegram")
    notary = Notary(registry, batch=2)
    ours = [(await house.say("grant", f"p{n}")).id for n in range(3)]
    theirs = [(await other.say("grant")).id]
    while await notary.step():
        pass

    await assert_whole(registry, house, ours)
    await assert_whole(registry, other, theirs)
    assert [head.size for head in await checkpoints(registry, house)] == [2, 3]


async def test_an_open_transaction_is_waited_for_by_nobody_and_lost_by_nobody(
    house: House, registry: Registry
) -> None:
    notary = Notary(registry)
    async with in_hand(registry, house.event("grant", "slow")) as late:
        early = await house.say("grant", "quick")
        await notary.advance(house.brand_id)
        before = await leaves(registry, house)
    await notary.advance(house.brand_id)
    after = await leaves(registry, house)

    assert late < early.seq
    assert [row["seq"] for row in before] == [early.seq]
    assert [row["seq"] for row in after] == [early.seq, late]
    await assert_whole(registry, house, {row["id"] for row in after})


async def test_many_writers_and_two_notaries_lose_nothing_and_keep_each_persons_order(
    house: House, registry: Registry
) -> None:
    done = asyncio.Event()
    said: dict[str, list[UUID]] = {}

    async def talk(person: str) -> None:
        said[person] = []
        for turn in range(12):
            recorded = await house.say(("grant", "revoke")[turn % 2], person)
            said[person].append(recorded.id)

    async def advance(notary: Notary) -> None:
        while not done.is_set():
            await notary.advance(house.brand_id)
            await asyncio.sleep(0.005)

    notaries = [asyncio.create_task(advance(Notary(registry, batch=7))) for _ in range(2)]
    await asyncio.gather(*(talk(f"p{number}") for number in range(6)))
    done.set()
    await asyncio.gather(*notaries)
    while await Notary(registry).advance(house.brand_id):
        pass

    order = [row["id"] for row in await leaves(registry, house)]
    for ids in said.values():
        assert [each for each in order if each in ids] == ids
    await assert_whole(registry, house, {each for ids in said.values() for each in ids})
    assert len(await checkpoints(registry, house)) > 1


async def test_two_notaries_at_one_log_are_one_after_the_other(
    house: House, registry: Registry
) -> None:
    said = await house.say("grant")
    async with registry.database.connection(house.brand_id) as connection:
        assert await log.try_lock(connection, house.brand_id)
        beside = await Notary(registry).advance(house.brand_id)
    alone = await Notary(registry).advance(house.brand_id)

    assert (beside, alone) == (0, 1)
    await assert_whole(registry, house, [said.id])


NOTARY = """
import asyncio, sys
from uuid import UUID
from services.consent.app import create_app
from services.consent.notary import Notary
from tests.consent.consent_house import settings_for

async def main():
    app = create_app(settings_for(sys.argv[1]))
    await Notary(app.state.registry).advance(UUID(sys.argv[2]))

asyncio.run(main())
"""


@pytest.mark.parametrize("place", ["took", "grew", "signed", "committed"])
async def test_a_notary_that_dies_loses_and_doubles_nothing(
    house: House, registry: Registry, urls: Urls, place: str
) -> None:
    said = [(await house.say("grant", f"a{n}")).id for n in range(3)]
    await Notary(registry).advance(house.brand_id)
    said += [(await house.say("grant", f"b{n}")).id for n in range(5)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NOTARY, urls.consent, str(house.brand_id)),
        env={**os.environ, "PERMESSO_FAILPOINTS": f"consent.notary_{place}=crash"},
    )
    code = await process.wait()
    heads = [head.size for head in await checkpoints(registry, house)]
    while not await Notary(registry).advance(house.brand_id):
        # The server may not have seen yet that the dead one is gone, and hold its lock.
        if [head.size for head in await checkpoints(registry, house)][-1] == len(said):
            break
        await asyncio.sleep(0.02)

    assert code == -signal.SIGKILL
    assert heads == ([3, 8] if place == "committed" else [3])
    await assert_whole(registry, house, said)


async def test_a_history_that_was_changed_is_not_signed_on(
    house: House, registry: Registry, owner_database: Database
) -> None:
    other = await House(house.client).open(bot="telegram")
    for number in range(2):
        await house.say("grant", f"p{number}")
    await Notary(registry).advance(house.brand_id)
    async with owner_database.connection(house.brand_id) as connection:
        await connection.execute("ALTER TABLE consent.log_node DISABLE TRIGGER USER")
        await connection.execute(
            "UPDATE consent.log_node SET hash = sha256('x') WHERE brand_id = $1", house.brand_id
        )
        await connection.execute("ALTER TABLE consent.log_node ENABLE TRIGGER USER")
    await house.say("revoke", "p0")
    await other.say("grant")
    await Notary(registry).step()

    assert [head.size for head in await checkpoints(registry, house)] == [2]
    assert [head.size for head in await checkpoints(registry, other)] == [1]


@pytest.mark.parametrize("table", ["log_leaf", "log_node", "log_checkpoint"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET brand_id = brand_id", "DELETE FROM {}", "TRUNCATE {}"]
)
async def test_the_log_only_grows(
    house: House, registry: Registry, owner_database: Database, table: str, statement: str
) -> None:
    for number in range(2):
        await house.say("grant", f"p{number}")
    await Notary(registry).advance(house.brand_id)
    verb = statement.format(f"consent.{table}")

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=f"denied for table {table}"):
        async with registry.database.connection(house.brand_id) as connection:
            await connection.execute(verb)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="the ledger only grows"):
        async with owner_database.connection(house.brand_id) as connection:
            await connection.execute(verb)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE consent.event DISABLE TRIGGER event_arrives",
        "DROP TRIGGER event_arrives ON consent.event",
        "CREATE OR REPLACE FUNCTION consent.note_arrival() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NULL; END $$",
        "CREATE OR REPLACE FUNCTION consent.refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NULL; END $$",
    ],
)
async def test_no_event_goes_around_the_log(
    house: House, registry: Registry, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with registry.database.connection(house.brand_id) as connection:
            await connection.execute(statement)


def heads_of(house: House, page: Feed) -> list[FeedItem]:
    return [
        item
        for item in page.items
        if item.type == "ledger.checkpoint" and item.brand_id == house.brand_id
    ]


async def test_the_feed_tells_the_newest_checkpoint_once_a_minute(
    house: House, registry: Registry, start: int
) -> None:
    notary = Notary(registry)
    said = await house.say("grant")
    await notary.step()
    await house.say("revoke")
    await notary.step()
    page = await house.client.feed(after=start)
    (told,) = heads_of(house, page)
    async with registry.database.connection() as connection:
        await connection.execute("UPDATE consent.log_head SET due_at = now()")
    await notary.step()
    page = await house.client.feed(after=page.cursor)
    heads = await checkpoints(registry, house)

    assert [item.data["size"] for item in heads_of(house, page)] == [2]
    assert told.data["size"] == 1
    assert told.at > said.effective_at
    key = registry.signers.of(house.brand_id).key
    assert Checkpoint.parse(open_note(str(told.data["note"]), [key])) == heads[0]


async def test_ten_thousand_events_are_in_the_log_in_bounded_time(
    house: House, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    async with registry.database.connection(house.brand_id) as connection:
        await connection.execute(
            "INSERT INTO consent.event (brand_id, id, action, account_id, channel,"
            " person_id, purpose, scope, held_scope, purposes, sealed, recorded_at, outcome)"
            " SELECT $1, gen_random_uuid(), 'grant', $2, 'telegram', gen_random_uuid(),"
            " 'marketing', 'purpose', 'purpose', '{marketing}', sha256(n::text::bytea), now(),"
            " 'granted' FROM generate_series(1, 10000) AS n",
            house.brand_id,
            house.accounts["bot"],
        )
    started = time.perf_counter()
    while await Notary(registry).advance(house.brand_id):
        pass
    seconds = time.perf_counter() - started

    with capsys.disabled():
        rate = f"{10_000 / seconds:,.0f} a second"
        sys.stdout.write(f"\n10,000 events into the log in {seconds:.2f} s: {rate}\n")
    assert [head.size for head in await checkpoints(registry, house)][-1] == 10_000
    await assert_whole(registry, house, {row["id"] for row in await leaves(registry, house)})


async def test_the_log_speaks_of_all_of_a_line_but_who_it_was(owner_database: Database) -> None:
    """A new column is either signed, or is personal and in the sealed half."""
    async with owner_database.connection() as connection:
        rows = await connection.fetch(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'consent' AND table_name = 'event'"
        )

    assert {row[0] for row in rows} == {*entries.COLUMNS, "person_id"}


async def test_the_sealed_half_is_what_the_log_commits_to(house: House, registry: Registry) -> None:
    said = await house.say("grant", "42", expires_at=clock.now() + timedelta(seconds=0.5))
    async with asyncio.timeout(20):
        # Others' consents may expire at this moment; and what is sealed waits for every transaction
        # that began before it.
        while len(await leaves(registry, house)) < 2:
            await Expiry(registry).step()
            await Notary(registry).advance(house.brand_id)
    sealer = Sealer.from_base64({"k1": "A" * 43})
    salts = set()
    async with registry.database.connection(house.brand_id) as connection:
        wrapped = (await person_keys.find(connection, house.brand_id, [said.person_id]))[
            said.person_id
        ]
    key = sealer.open(wrapped, context=f"{house.brand_id}|person_key|{said.person_id}")
    for row in await leaves(registry, house):
        context = f"{house.brand_id}|event|sealed|{row['id']}".encode()
        plain = AESGCM(key).decrypt(row["sealed"][1:13], row["sealed"][13:], context)
        content = orjson.loads(plain)
        salts.add(content["salt"])
        assert sha256(plain).digest() == row["commitment"]
        assert content["subject"] == {
            "person_id": str(said.person_id),
            "channel": "telegram",
            "address": "42",
        }

    assert len(salts) == 2


async def test_a_destroyed_key_leaves_the_log_whole(
    house: House, registry: Registry, urls: Urls
) -> None:
    said = await house.say("grant")
    await Notary(registry).advance(house.brand_id)
    settings = settings_for(urls.consent).model_copy(
        update={"sealing_keys": {"k1": SecretStr("C" * 42 + "A")}}
    )
    keyless = create_app(settings).state.registry

    with pytest.raises(SealBroken):
        async with keyless.database.connection(house.brand_id) as connection:
            await keyless.evidences.of(connection, house.brand_id, [said.person_id])
    await assert_whole(keyless, house, [said.id])
    await keyless.database.close()
