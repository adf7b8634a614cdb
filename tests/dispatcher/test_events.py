"""What happened is stored once, with the callbacks that will tell of it."""

import asyncio
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from services.dispatcher import events
from services.dispatcher.api import stream
from services.dispatcher.events import EventRow
from shared.contracts.accounts import EndpointChange, EndpointIn, EventIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig


def told(kind: str = "message.sent", **fields: object) -> EventRow:
    row = {"id": new_id(), "type": kind, "at": datetime.now(UTC), "data": {"n": 1}, **fields}
    return EventRow(**row)


async def record(rig: Rig, *rows: EventRow) -> int:
    async with rig.desk.database.connection(rig.brand_id) as connection:
        return await events.record(connection, rig.brand_id, rows)


async def endpoint(rig: Rig, *types: str):
    wanted = EndpointIn.model_validate({"url": "https://93.184.216.34/hook", "types": types})
    return await rig.dispatcher.put_endpoint(rig.brand_id, new_id(), wanted)


async def waiting(rig: Rig) -> list[tuple[object, object]]:
    rows = await rig.sql(
        "SELECT endpoint_id, event_id FROM dispatcher.callback WHERE status = 'waiting'"
    )
    return [(row[0], row[1]) for row in rows]


async def test_a_repeat_of_an_event_is_the_same_event(rig: Rig) -> None:
    await endpoint(rig)
    one = told()

    first = await record(rig, one, told())
    second = await record(rig, one)

    assert (first, second) == (2, 0)
    assert len(await rig.events()) == 2
    assert len(await waiting(rig)) == 2


async def test_an_endpoint_gets_the_types_it_asked_for(rig: Rig) -> None:
    everything = await endpoint(rig)
    sent = await endpoint(rig, "message.sent", "message.sent", "message.read")
    off = await endpoint(rig)
    await rig.dispatcher.change_endpoint(rig.brand_id, off.id, EndpointChange(enabled=False))
    a, b = told("message.sent"), told("campaign.paused")

    await record(rig, a, b)

    assert set(await waiting(rig)) == {
        (everything.id, a.id),
        (everything.id, b.id),
        (sent.id, a.id),
    }


async def test_a_callback_wakes_its_lane_in_the_same_transaction(rig: Rig) -> None:
    made = await endpoint(rig)
    await rig.sql("UPDATE dispatcher.lane SET wake_at = 'infinity'")

    with pytest.raises(RuntimeError, match="power"):
        async with rig.desk.database.connection(rig.brand_id) as connection:
            await events.record(connection, rig.brand_id, [told()])
            raise RuntimeError("the power went off")
    asleep = await rig.sql("SELECT id FROM dispatcher.lane WHERE wake_at <= now()")
    await record(rig, told())

    [awake] = await rig.sql("SELECT id FROM dispatcher.lane WHERE wake_at <= now()")
    assert asleep == []
    assert awake["id"] == made.id


async def test_brands_do_not_hear_of_each_other(rig: Rig) -> None:
    await endpoint(rig)
    other = new_id()
    async with rig.desk.database.connection(other) as connection:
        await events.record(connection, other, [told()])

    assert await rig.events() == []
    assert await waiting(rig) == []


async def test_events_of_the_gateway_are_told_once(rig: Rig) -> None:
    event = EventIn(
        id=new_id(),
        brand_id=rig.brand_id,
        type="message.received",
        timestamp=datetime.now(UTC) - timedelta(days=12),
        data={"text": "Ciao"},
    )

    await rig.dispatcher.tell([event])
    await rig.dispatcher.tell([event, event])

    [found] = await rig.events("message.received")
    assert (found.id, found.data, found.timestamp) == (event.id, event.data, event.timestamp)


@pytest.mark.parametrize(
    "moment", ["1999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"]
)
async def test_an_event_of_no_day_we_keep_is_refused(rig: Rig, moment: str) -> None:
    event = {
        "id": str(new_id()),
        "brand_id": str(rig.brand_id),
        "type": "message.received",
        "timestamp": moment,
        "data": {},
    }

    answer = await rig.http.post("/v1/events", json={"items": [event]})

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/items/0/timestamp"]


async def test_the_list_begins_with_the_newest(rig: Rig) -> None:
    rows = [told("message.sent"), told("message.read"), told("message.sent")]
    for row in rows:
        await record(rig, row)

    one = await rig.dispatcher.events(rig.brand_id, limit=2)
    two = await rig.dispatcher.events(rig.brand_id, limit=2, cursor=one.next)
    sent = await rig.events("message.sent")

    assert [e.id for e in (*one.items, *two.items)] == [r.id for r in reversed(rows)]
    assert two.next is None
    assert [e.id for e in sent] == [rows[2].id, rows[0].id]


async def test_a_replay_tells_everybody_again(rig: Rig) -> None:
    made = await endpoint(rig)
    row = told()
    await record(rig, row)
    await rig.sql("UPDATE dispatcher.callback SET status = 'delivered', number = 3")

    event = await rig.dispatcher.replay(rig.brand_id, row.id)
    missing = await rig.http.post(rig.path("events", new_id(), "replay"))

    assert event.id == row.id
    assert await waiting(rig) == [(made.id, row.id)]
    assert missing.status_code == 404


async def read_stream(rig: Rig, after: int, count: int, **query: object) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    lines = stream._lines(rig.desk, rig.brand_id, after, query.get("type"))
    async with asyncio.timeout(10):
        async for block in lines:
            fields = dict(line.split(b": ", 1) for line in block.splitlines() if b": " in line)
            if b"data" in fields:
                found.append({"seq": int(fields[b"id"]), **orjson.loads(fields[b"data"])})
            if len(found) == count:
                break
    await lines.aclose()
    return found


async def test_the_stream_goes_on_where_it_was_left(rig: Rig) -> None:
    rows = [told() for _ in range(3)]
    await record(rig, *rows)

    first = await read_stream(rig, 0, 2)
    rest = await read_stream(rig, int(str(first[-1]["seq"])), 1)

    assert [e["id"] for e in (*first, *rest)] == [str(row.id) for row in rows]


async def test_the_stream_never_leaves_out_what_commits_late(rig: Rig) -> None:
    early, late = told(), told()
    committed = asyncio.Event()
    stored = asyncio.Event()

    async def slow() -> None:
        async with rig.desk.database.connection(rig.brand_id) as connection:
            await events.record(connection, rig.brand_id, [early])
            stored.set()
            await committed.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(slow())
        await stored.wait()
        await record(rig, late)
        reading = group.create_task(read_stream(rig, 0, 2))
        # Long enough for several looks: none may show the later one alone.
        await asyncio.sleep(stream.LOOK_EVERY * 3)
        committed.set()
        found = await reading

    assert [e["id"] for e in found] == [str(early.id), str(late.id)]


@pytest.mark.parametrize("after", ["x", "-1", "9" * 20, "²"])
async def test_a_stream_begins_nowhere_else(rig: Rig, after: str) -> None:
    answer = await rig.http.get(rig.path("events", "stream"), params={"after": after})

    assert answer.status_code == 422
