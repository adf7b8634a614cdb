"""Callbacks reach a real server, signed, until they are taken."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import pytest
from standardwebhooks import Webhook

from services.dispatcher import answers, callbacks, events
from services.dispatcher.callbacks import CallbackRunner
from services.dispatcher.events import EventRow
from shared import clock
from shared.contracts.accounts import (
    CallbackAttempt,
    Endpoint,
    EndpointChange,
    EndpointIn,
    EndpointWithSecret,
)
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, a_rig, until
from tests.dispatcher.receiver import Receiver, a_receiver
from tests.postgres import Urls


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as made:
        yield made


@pytest.fixture
async def rig(urls: Urls, receiver: Receiver) -> AsyncIterator[Rig]:
    """A rig that may call the receiver."""
    async with a_rig(urls, allowed=(urlsplit(receiver.url).netloc,)) as made:
        yield made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between two tries."""
    monkeypatch.setattr(answers, "WAITS", (timedelta(),) * 9)


async def endpoint(rig: Rig, receiver: Receiver, *types: str) -> EndpointWithSecret:
    wanted = EndpointIn.model_validate({"url": receiver.url, "types": types})
    return await rig.dispatcher.put_endpoint(rig.brand_id, new_id(), wanted)


async def tell(rig: Rig, count: int = 1, **fields: object) -> list[UUID]:
    rows = [
        EventRow(
            **{
                "id": new_id(),
                "type": "message.sent",
                "at": datetime.now(UTC),
                "data": {"n": n, "word": "città"},
                **fields,
            }
        )
        for n in range(count)
    ]
    async with rig.desk.database.connection(rig.brand_id) as connection:
        await events.record(connection, rig.brand_id, rows)
    return [row.id for row in rows]


@asynccontextmanager
async def running(
    rig: Rig, endpoint_id: UUID, held: Callable[[], float] = lambda: clock.ticks() + 6
) -> AsyncIterator[asyncio.Task[None]]:
    """Let the endpoint's lane run until the block ends."""
    stop, wake = asyncio.Event(), asyncio.Event()
    runner = CallbackRunner(rig.desk, rig.brand_id, endpoint_id, 1, held)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(runner.run(stop=stop, wake=wake))
        try:
            yield task
        finally:
            stop.set()
            wake.set()


async def statuses(rig: Rig) -> list[tuple[str, int]]:
    rows = await rig.sql("SELECT status, number FROM dispatcher.callback ORDER BY event_id")
    return [(row[0], row[1]) for row in rows]


async def attempts(rig: Rig, made: Endpoint) -> tuple[CallbackAttempt, ...]:
    return (await rig.dispatcher.callback_attempts(rig.brand_id, made.id)).items


async def read(rig: Rig, made: Endpoint) -> Endpoint:
    return await rig.dispatcher.get_endpoint(rig.brand_id, made.id)


async def test_a_callback_is_one_that_any_library_believes(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    # Of today: there is no partition for what is long past.
    at = datetime.now(UTC).replace(microsecond=5)
    [event_id] = await tell(rig, at=at)

    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))

    [came] = receiver.came
    believed = Webhook(made.secret).verify(came.body, came.headers)
    assert believed == {
        "type": "message.sent",
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.000005Z",
        "data": {"n": 0, "word": "città"},
    }
    assert came.headers["webhook-id"] == str(event_id)
    assert came.headers["content-type"] == "application/json"
    assert await statuses(rig) == [("delivered", 1)]


async def test_a_failure_is_tried_again_under_the_same_id(
    rig: Rig, receiver: Receiver, at_once: None
) -> None:
    made = await endpoint(rig, receiver)
    receiver.answers = [(500, {}), (302, {"location": "https://elsewhere.example"}), (204, {})]
    [event_id] = await tell(rig)

    async with running(rig, made.id):
        await receiver.until(lambda: len(receiver.came) == 3)

    tries = await rig.dispatcher.callback_attempts(rig.brand_id, made.id)
    assert {came.headers["webhook-id"] for came in receiver.came} == {str(event_id)}
    assert await statuses(rig) == [("delivered", 3)]
    assert [(t.number, t.status, t.http_status) for t in tries.items] == [
        (3, "delivered", 204),
        (2, "again", 302),
        (1, "again", 500),
    ]
    assert (await read(rig, made)).enabled


async def test_a_server_that_is_away_is_tried_again_later(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    receiver.always = 503
    await tell(rig)
    before = datetime.now(UTC)

    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))

    [row] = await rig.sql("SELECT due_at, now() AS after, status FROM dispatcher.callback")
    assert row["status"] == "waiting"
    # Five seconds and up to a tenth more from the failure, which was between the two.
    assert before + timedelta(seconds=5) <= row["due_at"]
    assert row["due_at"] <= row["after"] + timedelta(seconds=5.5)


async def test_after_the_last_try_it_is_over(rig: Rig, receiver: Receiver, at_once: None) -> None:
    made = await endpoint(rig, receiver)
    receiver.always = 500
    await tell(rig)

    async with running(rig, made.id):
        await receiver.until(lambda: len(receiver.came) == 10)

    assert await statuses(rig) == [("refused", 10)]
    assert len(receiver.came) == 10


async def test_gone_switches_the_endpoint_off(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    receiver.always = 410
    await tell(rig)
    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))
    await tell(rig)

    found = await read(rig, made)
    assert (found.enabled, found.disabled_reason) == (False, "gone")
    assert await statuses(rig) == [("refused", 1)]


async def test_five_days_of_failures_switch_it_off_and_a_success_begins_anew(
    rig: Rig, receiver: Receiver
) -> None:
    made = await endpoint(rig, receiver)
    await rig.sql("UPDATE dispatcher.endpoint SET failing_since = now() - interval '4 days'")
    await tell(rig)
    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))
    [good] = await rig.sql("SELECT failing_since FROM dispatcher.endpoint")
    await rig.sql("UPDATE dispatcher.endpoint SET failing_since = now() - interval '6 days'")
    receiver.always = 500
    await tell(rig)
    async with running(rig, made.id):
        await receiver.until(lambda: len(receiver.came) == 2)

    assert good["failing_since"] is None
    assert (await read(rig, made)).disabled_reason == "failing"


async def test_switched_on_again_it_gets_what_has_waited(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    await tell(rig)
    await rig.dispatcher.change_endpoint(rig.brand_id, made.id, EndpointChange(enabled=False))
    async with running(rig, made.id) as task:
        await asyncio.wait([task], timeout=0.3)
    while_off = len(receiver.came)

    on = await rig.dispatcher.change_endpoint(rig.brand_id, made.id, EndpointChange(enabled=True))
    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))

    assert while_off == 0
    assert (on.enabled, on.disabled_reason) == (True, None)


async def test_many_fly_at_once_but_not_more_than_that(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    receiver.hold = asyncio.Event()
    await tell(rig, 40)

    async with running(rig, made.id):
        await receiver.until(lambda: len(receiver.came) == callbacks.IN_FLIGHT)
        receiver.hold.set()
        await receiver.until(lambda: len(receiver.came) == 40)

    assert receiver.most_at_once == callbacks.IN_FLIGHT
    assert await statuses(rig) == [("delivered", 1)] * 40


async def test_a_slow_answer_holds_up_no_other(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    receiver.hold = asyncio.Event()
    await tell(rig)

    async with running(rig, made.id):
        await receiver.until(lambda: len(receiver.came) == 1)
        held, receiver.hold = receiver.hold, None
        await tell(rig, 5)
        await receiver.until(lambda: len(receiver.came) == 6)
        held.set()

    assert await statuses(rig) == [("delivered", 1)] * 6


async def test_nothing_starts_after_the_lease(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    await tell(rig)

    async with running(rig, made.id, held=lambda: 0.0) as task:
        await asyncio.wait_for(task, 5)

    assert receiver.came == []
    assert await statuses(rig) == [("waiting", 0)]


async def test_an_endpoint_that_only_fails_is_probed_one_by_one(
    rig: Rig, receiver: Receiver
) -> None:
    made = await endpoint(rig, receiver)
    receiver.always = 500
    await tell(rig, 60)

    async with running(rig, made.id):
        await receiver.until(lambda: len(receiver.came) >= callbacks.IN_FLIGHT + 1)

    assert len(receiver.came) < 2 * callbacks.IN_FLIGHT


async def test_both_secrets_sign_for_a_day_after_a_rotation(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)

    rotated = await rig.dispatcher.rotate(rig.brand_id, made.id)
    await tell(rig)
    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))

    [came] = receiver.came
    for secret in (made.secret, rotated.secret):
        assert Webhook(secret).verify(came.body, came.headers)
    assert rotated.secret != made.secret
    assert came.headers["webhook-signature"].count("v1,") == 2


async def test_an_old_secret_ends(
    rig: Rig, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await endpoint(rig, receiver)
    monkeypatch.setattr("services.dispatcher.endpoints.OLD_SECRET_FOR", timedelta(seconds=-1))
    await rig.dispatcher.rotate(rig.brand_id, made.id)
    await tell(rig)

    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))

    assert receiver.came[0].headers["webhook-signature"].count("v1,") == 1


async def test_one_event_is_called_about_again(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver, "campaign.paused")
    [event_id] = await tell(rig)

    queued = await rig.http.post(
        rig.path("callbacks", made.id, "redeliver"), json={"event_id": str(event_id)}
    )
    missing = await rig.http.post(
        rig.path("callbacks", made.id, "redeliver"), json={"event_id": str(new_id())}
    )
    async with running(rig, made.id):
        await receiver.until(lambda: bool(receiver.came))

    assert (queued.status_code, queued.json()) == (202, {"queued": 1})
    assert missing.status_code == 404
    assert await statuses(rig) == [("delivered", 1)]


async def test_all_that_was_missed_is_called_about_again(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    ids = await tell(rig, 4)
    await rig.sql("UPDATE dispatcher.callback SET status = 'delivered' WHERE event_id = $1", ids[0])
    await rig.sql("UPDATE dispatcher.callback SET status = 'refused' WHERE event_id = $1", ids[1])
    await rig.sql("DELETE FROM dispatcher.callback WHERE event_id = $1", ids[2])
    await tell(rig, 1, at=datetime.now(UTC) - timedelta(hours=3))
    await rig.sql("UPDATE dispatcher.callback SET status = 'refused' WHERE event_id <> $1", ids[0])
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    answer = await rig.http.post(rig.path("callbacks", made.id, "redeliver"), json={"since": since})

    assert answer.json() == {"queued": 3}


@pytest.mark.parametrize("what", [{}, {"since": "2026-01-01T00:00:00Z", "event_id": str(new_id())}])
async def test_a_redelivery_says_of_what(
    rig: Rig, receiver: Receiver, what: dict[str, str]
) -> None:
    made = await endpoint(rig, receiver)

    answer = await rig.http.post(rig.path("callbacks", made.id, "redeliver"), json=what)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://10.0.0.7/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://2130706433/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://user:secret@93.184.216.34/hook",
        "ftp://93.184.216.34/hook",
        "https://93.184.216.34:22/hook",
    ],
)
async def test_an_address_that_we_never_call_is_refused_with_a_reason(rig: Rig, url: str) -> None:
    answer = await rig.http.put(rig.path("callbacks", new_id()), json={"url": url})

    assert (answer.status_code, answer.json()["code"]) == (422, "address_refused")
    [error] = answer.json()["errors"]
    assert error["pointer"] == "/url"
    assert error["message"]


async def test_an_address_that_turns_private_later_is_never_reached(
    rig: Rig, receiver: Receiver
) -> None:
    made = await endpoint(rig, receiver)
    port = urlsplit(receiver.url).port
    # As a name would that resolves to us after it was checked.
    await rig.sql("UPDATE dispatcher.endpoint SET url = $1", f"http://localhost:{port}/hook")
    await tell(rig)

    async with running(rig, made.id):
        await until(lambda: attempts(rig, made))

    assert receiver.came == []
    assert [(t.status, t.code) for t in await attempts(rig, made)] == [
        ("again", "forbidden_address")
    ]


async def test_an_endpoint_is_stored_once_and_shows_its_secret_only_then(
    rig: Rig, receiver: Receiver
) -> None:
    path = rig.path("callbacks", new_id())
    body = {"url": receiver.url, "types": ["message.sent"]}

    first = await rig.http.put(path, json=body)
    second = await rig.http.put(path, json=body)
    read_back = await rig.http.get(path)
    [row] = await rig.sql("SELECT secrets FROM dispatcher.endpoint")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["secret"].startswith("whsec_")
    assert "secret" not in read_back.json()
    assert first.json()["secret"].encode() not in row["secrets"]


async def test_a_deleted_endpoint_is_not_called(rig: Rig, receiver: Receiver) -> None:
    made = await endpoint(rig, receiver)
    await tell(rig)
    await rig.dispatcher.delete_endpoint(rig.brand_id, made.id)
    await rig.dispatcher.delete_endpoint(rig.brand_id, made.id)

    async with running(rig, made.id) as task:
        await asyncio.wait([task], timeout=0.3)

    assert receiver.came == []
    assert (await rig.http.get(rig.path("callbacks", made.id))).status_code == 404
    assert await rig.sql("SELECT 1 FROM dispatcher.lane WHERE id = $1", made.id) == []


async def test_a_runner_that_goes_quiet_asks_to_be_woken(
    rig: Rig, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "GONE_QUIET", 0.05)
    monkeypatch.setattr(callbacks, "IDLE", 0.02)
    made = await endpoint(rig, receiver)
    receiver.always = 503
    await tell(rig)
    await rig.sql("UPDATE dispatcher.lane SET wake_at = 'infinity'")

    async with running(rig, made.id) as task:
        await asyncio.wait_for(task, 10)

    [row] = await rig.sql(
        "SELECT l.wake_at = c.due_at AS right FROM dispatcher.lane l, dispatcher.callback c"
    )
    assert row["right"]
    assert orjson.loads(receiver.came[0].body)["type"] == "message.sent"
