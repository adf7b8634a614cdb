"""The tally is the count of messages, at every moment, and quick to read."""

import asyncio
import random
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from channels.base.simulator.faults import Fault
from channels.base.simulator.listening import serving
from channels.registry import CHANNELS
from channels.telegram.simulator import OWN_BOT, Platform
from services.dispatcher import tally
from shared.contracts.halts import Halt, HaltTarget
from shared.ids import new_id
from shared.migrate import migrate, versions_folder
from tests.dispatcher.desk_rig import Rig, a_rig, until
from tests.dispatcher.queue_rows import Queue
from tests.postgres import DatabaseServer, Urls

SEED = 20261130

# One statement, one snapshot: what differs does so in the database, not between two looks at it.
_DIFFERENT = """
WITH counted AS (
    SELECT campaign_id, variant, status, CASE WHEN status = 'withheld'
        OR (status = 'queued' AND reason IN ('quiet_hours', 'capped')) THEN reason END AS reason,
        count(*) AS number
    FROM dispatcher.message WHERE campaign_id IS NOT NULL GROUP BY 1, 2, 3, 4),
told AS (
    SELECT campaign_id, variant, status, reason, sum(number)::bigint AS number
    FROM dispatcher.tally GROUP BY 1, 2, 3, 4 HAVING sum(number) <> 0)
(TABLE counted EXCEPT TABLE told) UNION ALL (TABLE told EXCEPT TABLE counted)
"""


async def differences(rig: Rig) -> list[object]:
    return await rig.sql(_DIFFERENT)


@pytest.fixture
async def queue(dispatcher_database) -> Queue:
    queue = Queue(dispatcher_database)
    await queue.prepare()
    return queue


async def told(queue: Queue) -> dict[tuple[str, str | None], int]:
    async with queue.database.connection(queue.brand_id) as connection:
        rows = await connection.fetch(
            "SELECT status, reason, sum(number)::int FROM dispatcher.tally"
            " GROUP BY 1, 2 HAVING sum(number) <> 0"
        )
    return {(status, reason): number for status, reason, number in rows}


async def test_a_reason_counts_where_something_is_withheld_or_waits_for_its_hour(
    queue: Queue,
) -> None:
    await queue.add("1", status="withheld", reason="revoked")
    await queue.add("2", reason="quiet_hours")
    await queue.add("3", reason="zone_fallback")
    await queue.add("4", status="refused", reason="http_400")
    await queue.add("5", campaign_id=None)

    assert await told(queue) == {
        ("withheld", "revoked"): 1,
        ("queued", "quiet_hours"): 1,
        ("queued", None): 1,
        ("refused", None): 1,
    }


async def test_adding_up_changes_nothing_but_the_number_of_rows(queue: Queue) -> None:
    for address in "123":
        await queue.add(address)
    async with queue.database.connection(queue.brand_id) as connection:
        await connection.execute("UPDATE dispatcher.message SET status = 'sent', part = 1")
    before = await told(queue)

    await asyncio.gather(*(tally.add_up(queue.database, queue.brand_id) for _ in range(4)))
    long = await rows(queue)
    tally_short, tally.SHORT = tally.SHORT, 0
    try:
        await asyncio.gather(*(tally.add_up(queue.database, queue.brand_id) for _ in range(4)))
    finally:
        tally.SHORT = tally_short

    assert before == await told(queue) == {("sent", None): 3}
    assert (long, await rows(queue)) == (5, 1)


async def rows(queue: Queue) -> int:
    async with queue.database.connection(queue.brand_id) as connection:
        return await connection.fetchval("SELECT count(*) FROM dispatcher.tally")


async def test_what_was_there_before_is_counted_by_the_migration(
    cluster: DatabaseServer, tmp_path: Path
) -> None:
    name = "permesso_before_the_tally"
    urls = cluster.urls(name)
    await cluster._execute(f"CREATE DATABASE {name}")
    brand_id = new_id()
    try:
        shutil.copytree(versions_folder("dispatcher"), tmp_path / "v")
        for script in (tmp_path / "v").glob("0*.py"):
            if int(script.name[:4]) > 2:
                script.unlink()
        await migrate(urls.owner, "dispatcher", versions=tmp_path / "v")
        connection = await asyncpg.connect(urls.owner)
        await connection.execute(
            "INSERT INTO dispatcher.campaign (brand_id, id, day, name, story_id, purpose,"
            " account_ids, audience) VALUES ($1, $1, current_date, 'c', $1, 'service', '{}',"
            """ '{"addresses": ["1", "2", "3"]}')""",
            brand_id,
        )
        await connection.execute(
            "INSERT INTO dispatcher.message (brand_id, id, day, campaign_id, queue_id, account_id,"
            " address, purpose, status, reason, parts, due_at)"
            " SELECT $1, gen_random_uuid(), current_date, $1, $1, $1, n::text, 'service',"
            " s, 'x', 1, now() FROM unnest(ARRAY['sent', 'sent', 'withheld']) WITH ORDINALITY"
            " AS t(s, n)",
            brand_id,
        )
        await migrate(urls.owner, "dispatcher")
        counts = await connection.fetch(
            "SELECT campaign_id, status, reason, number FROM dispatcher.tally ORDER BY status"
        )
        named = await connection.fetchval("SELECT named FROM dispatcher.campaign")
        await connection.close()
    finally:
        await cluster._execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert [tuple(row) for row in counts] == [
        (brand_id, "sent", None, 2),
        (brand_id, "withheld", "x", 1),
    ]
    assert named == 3


@pytest.fixture
async def busy(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Rig, list[str]]]:
    """A dispatcher with all its workers, and four hundred people whom nothing protects."""
    await asyncio.to_thread(CHANNELS["telegram"].load)
    monkeypatch.setattr(tally, "SHORT", 0)
    platform = Platform()
    people = platform.make_people(str(OWN_BOT), count=400)
    platform.set_limits(None, {"per_second": 0, "chat_per_second": 0, "group_per_minute": 0})
    for kind, rate in (("rate_limited", 0.02), ("answer_lost", 0.02), ("blocked", 0.02)):
        platform.faults.add(Fault(kind, rate=rate, retry_after=1))
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(serving(platform.app()))
        place = (f"127.0.0.1:{listener.port}",)
        rig = await stack.enter_async_context(a_rig(urls, allowed=place, alive=True))
        await rig.open_brand(credentials=platform.credentials(listener.base_url))
        await rig.http.patch(
            rig.path("accounts", rig.account_id), json={"settings": {"per_second": 500}}
        )
        await rig.grant(*people)
        yield rig, people
    await platform.close()


@pytest.mark.timeout(300)
async def test_it_is_the_count_of_messages_at_every_poll_while_everything_happens_at_once(
    busy: tuple[Rig, list[str]], tell: Callable[[str], None]
) -> None:
    rig, people = busy
    chance = random.Random(SEED)
    stories = [await rig.story(title=title) for title in ("A", "B")]
    variants = [{"name": each.title.lower(), "story_id": each.id} for each in stories]
    campaigns = [
        await rig.campaign(),
        await rig.campaign(story_id=None, variants=variants, hold_out=0.1),
        await rig.campaign(),
    ]
    polls = 0

    async def adding_up() -> None:
        while True:
            await tally.add_up(rig.desk.database, rig.brand_id)

    async def halting() -> None:
        for address in chance.sample(people, 60):
            seen = await rig.say("revoke", address)
            target = HaltTarget(account_id=rig.account_id, address=address, purposes=("marketing",))
            await rig.dispatcher.halt(
                Halt(brand_id=rig.brand_id, seq=seen.seq, targets=(target,), wait_seconds=1)
            )

    async def turning() -> None:
        await until(lambda: begun(rig, campaigns[0].id))
        for _ in range(3):
            await rig.step(campaigns[0], "pause")
            await rig.step(campaigns[0], "resume")
        await rig.step(campaigns[2], "cancel")

    for campaign in campaigns:
        await rig.step(campaign, "launch")
    upkeep = [asyncio.create_task(adding_up()) for _ in range(2)]
    acting = asyncio.gather(halting(), turning())
    async with asyncio.timeout(120):
        while not (acting.done() and await over(rig)):
            assert await differences(rig) == []
            polls += 1
    await acting
    for task in upkeep:
        task.cancel()
    await asyncio.gather(*upkeep, return_exceptions=True)

    assert await differences(rig) == []
    assert polls > 20
    tell(f"{polls} polls, no difference; seed {SEED}")
    for campaign in campaigns:
        totals = (await rig.read(campaign)).totals
        states = totals.model_dump(exclude={"accepted", "withheld"})
        assert sum(states.values()) + sum(totals.withheld.values()) == totals.accepted > 0


async def begun(rig: Rig, campaign_id: UUID) -> bool:
    rows = await rig.sql(
        "SELECT FROM dispatcher.message WHERE campaign_id = $1 AND status = 'sent' LIMIT 1",
        campaign_id,
    )
    return bool(rows)


async def over(rig: Rig) -> bool:
    [row] = await rig.sql(
        "SELECT (SELECT count(*) FROM dispatcher.campaign WHERE status IN ('running', 'paused'))"
        " + (SELECT count(*) FROM dispatcher.message"
        "    WHERE status IN ('queued', 'sending'))"
    )
    return row[0] == 0


_A_MILLION = """
INSERT INTO dispatcher.message (brand_id, id, day, campaign_id, account_id, address, purpose,
    status, parts, due_at)
SELECT $1, uuidv7(), $2, $3, $4, n::text, 'marketing', 'sent', 1, now()
FROM generate_series($5::int, $6::int) AS n
"""


@pytest.mark.timeout(600)
async def test_a_campaign_of_a_million_messages_is_read_in_milliseconds(
    rig: Rig, urls: Urls, tell: Callable[[str], None]
) -> None:
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    [row] = await rig.sql("SELECT day FROM dispatcher.campaign")
    owner = await asyncpg.connect(urls.owner)
    for begin in range(1, 1_000_001, 100_000):
        place = (rig.brand_id, row["day"], campaign.id, rig.account_id)
        await owner.execute(_A_MILLION, *place, begin, begin + 99_999)
    await owner.execute("UPDATE dispatcher.campaign SET accepted = 1000000")
    await owner.close()

    one, page = [], []
    for _ in range(40):
        begun = time.perf_counter()
        found = await rig.read(campaign)
        one.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        await rig.dispatcher.campaigns(rig.brand_id)
        page.append(time.perf_counter() - begun)

    assert found.totals.accepted == found.totals.sent == 1_000_000
    figures = [1_000 * statistics.median(each) for each in (one, page)]
    tell(f"1 M messages: GET {figures[0]:.1f} ms, list {figures[1]:.1f} ms (median of 40)")
    # Counting them takes half a second.
    assert max(figures) < 50
