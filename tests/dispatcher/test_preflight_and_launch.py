"""What a preflight says is what the launch then does, when nothing changes in between."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from channels.base.simulator.listening import serving
from channels.registry import CHANNELS
from channels.telegram.simulator import OWN_BOT, Platform
from shared.contracts.campaigns import Campaign, Preflight
from shared.contracts.consent import PersonChange
from shared.contracts.policy import BrandPolicy
from tests.dispatcher.desk_rig import Rig, a_rig, until
from tests.postgres import Urls

TORINO = {"attributes": {"any": [{"name": "city", "is": "Torino"}, {"name": "age", "above": 90}]}}


@pytest.fixture
async def alive(urls: Urls) -> AsyncIterator[tuple[Rig, list[str]]]:
    await asyncio.to_thread(CHANNELS["telegram"].load)
    platform = Platform()
    people = platform.make_people(str(OWN_BOT), count=60)
    platform.set_limits(None, {"per_second": 0, "chat_per_second": 0})
    async with serving(platform.app()) as listener:
        place = (f"127.0.0.1:{listener.port}",)
        async with a_rig(urls, allowed=place, alive=True) as rig:
            await rig.open_brand(credentials=platform.credentials(listener.base_url))
            yield rig, people
    await platform.close()


async def describe(rig: Rig, address: str, **what: object) -> None:
    person = await rig.consent.find_person(
        brand_id=rig.brand_id, account_id=rig.account_id, address=address
    )
    change = PersonChange.model_validate(what)
    await rig.consent.change_person(rig.brand_id, person.id, change)


async def split(rig: Rig, **fields: object) -> Campaign:
    stories = [await rig.story(title=title) for title in "AB"]
    variants = [
        {"name": each.title.lower(), "story_id": each.id, "weight": weight}
        for each, weight in zip(stories, (2, 1), strict=True)
    ]
    return await rig.campaign(story_id=None, **{"variants": variants, "hold_out": 0.2, **fields})


def around_now() -> dict[str, str]:
    local = datetime.now(ZoneInfo("Europe/Rome"))
    start, end = local - timedelta(hours=1), local + timedelta(hours=2)
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}


async def test_by_night_under_caps_split_and_held_out(
    alive: tuple[Rig, list[str]], urls: Urls
) -> None:
    rig, people = alive
    away = dict.fromkeys(people[:20], "Pacific/Auckland")
    for number, address in enumerate(people):
        await rig.grant(address, timezone=away.get(address))
        city = {"city": "Torino"} if number % 10 else {"age": 91}
        await describe(rig, address, attributes=city)
    for address in people[40:45]:
        await rig.say("revoke", address)
    for address in people[45:48]:
        await rig.say("block", address)
    for address in people[48:50]:
        await rig.say("pause", address, until=datetime.now(UTC) + timedelta(days=2))
    await describe(rig, people[59], attributes={"city": "Milano"})
    # Five of those who are awake have had theirs today.
    owner = await asyncpg.connect(urls.owner)
    await owner.execute(
        "INSERT INTO consent.contact (brand_id, person_id, at, message_ids)"
        " SELECT $1, person_id, ARRAY[now()], ARRAY[gen_random_uuid()] FROM consent.address"
        " WHERE address = ANY($2)",
        rig.brand_id,
        people[:5],
    )
    await owner.close()
    rules = {"quiet_hours": around_now(), "caps": [{"messages": 1, "days": 1}]}
    await rig.consent.put_policy(rig.brand_id, BrandPolicy.model_validate(rules))
    campaign = await split(rig, audience=TORINO)

    said = await rig.dispatcher.preflight(rig.brand_id, campaign.id)
    await rig.step(campaign, "launch")

    async def settled() -> bool:
        found = await rig.read(campaign)
        waits = sum(found.deferred.values())
        return found.expanded and found.totals.sent + waits + held(found) == found.totals.accepted

    await until(settled)
    found = await rig.read(campaign)
    assert said.excluded == found.excluded == {"revoked": 5, "blocked": 3, "paused": 2}
    assert said.eligible == found.totals.accepted == 49
    assert said.withheld == found.totals.withheld
    assert said.withheld["hold_out"] > 0
    assert said.deferred == found.deferred
    assert set(said.deferred) == {"quiet_hours", "capped"}
    assert said.variants == {n: each.accepted for n, each in found.variant_totals.items()}
    assert found.totals.sent > 0
    # The others can only begin when the night is over.
    assert said.expected_finish_at is not None
    left = said.expected_finish_at - datetime.now(UTC)
    assert timedelta(hours=1, minutes=58) < left < timedelta(hours=2, minutes=1)


def held(found: Campaign) -> int:
    return sum(found.totals.withheld.values())


@pytest.mark.parametrize("named", [False, True])
async def test_by_local_time_with_bad_zones_and_a_deadline(
    rig: Rig, urls: Urls, named: bool
) -> None:
    zones = ["Asia/Tokyo", "America/New_York", None, None, "Europe/Rome"]
    people = [str(n) for n in range(1, 61)]
    for number, address in enumerate(people):
        await rig.grant(address)
        await describe(rig, address, timezone=zones[number % 5], tags=(f"z{number % 5}",))
    # Such a name is refused today; it may have been one when it was told.
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("UPDATE consent.person SET timezone = 'Mars/Olympus' WHERE tags = '{z3}'")
    await owner.close()
    await rig.say("revoke", "60")
    await rig.http.patch(
        rig.path("accounts", rig.account_id), json={"settings": {"timezone": "Europe/Rome"}}
    )
    at = (datetime.now(UTC) + timedelta(hours=10)).replace(microsecond=0, tzinfo=UTC)
    audience = {"addresses": [*people, "77"]} if named else {"everyone": True}
    campaign = await split(
        rig,
        audience=audience,
        send_at=at,
        recipient_local_time=True,
        deadline=at + timedelta(hours=1),
    )

    said = await rig.dispatcher.preflight(rig.brand_id, campaign.id)
    await rig.step(campaign, "launch")
    await rig.work()

    found = await rig.read(campaign)
    messages = await rig.messages(campaign)
    left_out = {"revoked": 1, "no_consent": 1} if named else {"revoked": 1}
    stored = Counter(left_out) if named else Counter()
    assert said.excluded == left_out
    assert found.excluded == ({} if named else left_out)
    assert said.eligible == 59
    assert found.totals.accepted == 59 + sum(stored.values())
    assert Counter(said.withheld) + stored == Counter(found.totals.withheld)
    assert min(said.withheld["hold_out"], said.withheld["too_late"]) > 0
    assert said.zone_fallbacks == found.zone_fallbacks > 0
    assert found.zone_fallbacks == sum(m.reason == "zone_fallback" for m in messages)
    accepted = {name: each.queued for name, each in found.variant_totals.items()}
    assert said.variants == accepted
    # The last ones that still have their hour before the deadline are those of Rome.
    assert said.expected_finish_at is not None
    rome = at.replace(tzinfo=ZoneInfo("Europe/Rome")).astimezone(UTC)
    assert rome < said.expected_finish_at < rome + timedelta(minutes=1)
    assert said.expected_too_late == 0


async def test_a_busy_account_shows_its_real_pace(rig: Rig) -> None:
    await rig.grant(*"12345")
    busy = await rig.campaign()
    await rig.step(busy, "launch")
    await rig.work()
    campaign = await rig.campaign()
    before = await finish(rig, campaign)
    # Thirty in fifteen seconds: two a second, of thirty that it may.
    await rig.sql(
        "INSERT INTO dispatcher.attempt (brand_id, id, day, message_id, account_id, part,"
        " started_at, settled_at, outcome) SELECT $1, gen_random_uuid(), current_date,"
        " gen_random_uuid(), $2, 0, now(), now() - make_interval(secs => n / 2.0), 'sent'"
        " FROM generate_series(1, 30) AS n",
        rig.brand_id,
        rig.account_id,
    )

    after = await finish(rig, campaign)

    assert before < 1
    assert 4.5 < after < 6


async def finish(rig: Rig, campaign: Campaign) -> float:
    found: Preflight = await rig.dispatcher.preflight(rig.brand_id, campaign.id)
    assert found.expected_finish_at is not None
    return (found.expected_finish_at - datetime.now(UTC)).total_seconds()
