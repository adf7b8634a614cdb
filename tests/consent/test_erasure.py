"""Erased means that nothing leads to a person any more, and that their no still holds."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from services.consent import people, rewrapping
from services.consent.app import create_app
from services.consent.expiry import Expiry
from services.consent.notary import Notary
from services.consent.queries import erasure as queries
from services.consent.registry import Registry
from services.consent.suppression import Suppressor
from shared import clock
from shared.clients.base import ServiceRefused
from shared.contracts.consent import ConsentRecorded, Evidence, PersonChange
from shared.contracts.erasures import Erased, EraseIn
from shared.database import Database
from shared.ids import new_id
from shared.security.sealing import SealBroken
from tests.consent.consent_house import House, settings_for
from tests.consent.test_imports import Importing, row
from tests.consent.test_notary import assert_whole, leaves
from tests.postgres import Urls

SAID = Evidence(
    source="web_form",
    wording="canary-wording",
    ip="203.0.113.199",
    user_agent="canary-agent",
    text="canary-words",
)
CANARIES = ("canary", "203.0.113.199")


async def a_person(house: House, address: str = "canary-7001") -> ConsentRecorded:
    """Somebody of whom there is a row in every table that knows people."""
    soon = clock.now() + timedelta(hours=1)
    said = await house.say("grant", address, evidence=SAID, expires_at=soon)
    await house.say("revoke", address, purpose="marketing.news", evidence=SAID)
    await house.client.change_person(
        house.brand_id, said.person_id, PersonChange(attributes={"canary": "canary-attribute"})
    )
    return said


async def erase(house: House, person_id: UUID, order: EraseIn | None = None) -> Erased:
    order = order or EraseIn(id=new_id(), by="brand")
    return await house.client.erase(house.brand_id, person_id, order)


async def dump(owner: Database, brand_id: UUID) -> dict[str, list[asyncpg.Record]]:
    """Every row of the registry that is of one brand, as the tables' owner sees them."""
    async with owner.connection(brand_id) as connection:
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'consent' AND column_name = 'brand_id'"
        )
        return {
            name: await connection.fetch(
                f"SELECT t::text, to_jsonb(t) FROM consent.{name} t WHERE brand_id = $1", brand_id
            )
            for (name,) in tables
        }


async def test_of_an_erased_person_no_table_tells_anything(
    house: House, owner_database: Database, start: int
) -> None:
    said = await a_person(house)
    await house.rule(caps=[{"messages": 1, "days": 1}])
    await house.say("grant", "canary-7001", purpose="marketing.drops", uses=2)
    assert await house.send("canary-7001", purpose="marketing.drops") == "granted"
    asking = {"source": "telegram.start", "purpose": "service", "wants_reply": True}
    await house.say("grant", "canary-7001", **asking)
    doubts = Evidence(source="chat", text="maybe I should unsubscribe")
    await house.say("heard", "canary-7001", evidence=doubts)
    other = await a_person(house, "canary-7002")
    before = await dump(owner_database, house.brand_id)
    erased = await erase(house, said.person_id)
    after = await dump(owner_database, house.brand_id)
    who, hexed = str(said.person_id), b"canary-7001".hex()

    assert {name for name, rows in before.items() if any(who in r["t"] for r in rows)} == {
        *queries.KNOW_A_PERSON,
        "event",
        "person",
    }
    assert {name for name, rows in after.items() if any(who in r["t"] for r in rows)} == {"event"}
    text = "".join(r["t"] for rows in after.values() for r in rows)
    assert "canary-7001" not in text
    assert hexed not in text
    assert "canary-7002" in text
    assert len(after["expiry"]) == len(before["expiry"]) - 1 == 1
    assert (erased.person_id, erased.seq > other.seq) == (said.person_id, True)
    items = (await house.client.feed(after=start)).items
    of_them = [item for item in items if item.data.get("person_id") == who]
    assert [item.type for item in of_them][-1] == "person.erased"
    assert set(of_them[-1].data) == {"person_id", "consent_event_id"}
    assert all(item.data.get("address") is None for item in of_them)


async def test_every_table_that_knows_a_person_is_on_the_list(owner_database: Database) -> None:
    async with owner_database.connection() as connection:
        rows = await connection.fetch(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'consent' AND column_name = 'person_id'"
        )

    assert {row[0] for row in rows} == {*queries.KNOW_A_PERSON, "event"}


async def test_with_the_services_keys_nothing_of_theirs_can_be_opened_and_the_log_is_whole(
    house: House, registry: Registry
) -> None:
    said, other = await a_person(house), await a_person(house, "canary-7002")
    async with registry.database.connection(house.brand_id) as connection:
        copied = await registry.evidences.of(connection, house.brand_id, [said.person_id])
    await Notary(registry).advance(house.brand_id)
    await erase(house, said.person_id)
    await Notary(registry).advance(house.brand_id)
    rows = {row["id"]: row for row in await leaves(registry, house)}
    async with registry.database.connection(house.brand_id) as connection:
        halves = await registry.evidences.of(
            connection, house.brand_id, [said.person_id, other.person_id]
        )
    who = {"person_id": said.person_id, "brand_id": house.brand_id, "event_id": said.id}

    assert copied.open(rows[said.id]["sealed"], **who).evidence == SAID
    with pytest.raises(SealBroken):
        halves.open(rows[said.id]["sealed"], **who)
    of_other = {"person_id": other.person_id, "brand_id": house.brand_id, "event_id": other.id}
    assert halves.open(rows[other.id]["sealed"], **of_other).evidence == SAID
    assert len(rows) == 5
    await assert_whole(registry, house, set(rows))


async def test_a_list_does_not_bring_them_back(house: House) -> None:
    said = await a_person(house)
    await erase(house, said.person_id)
    importing = await Importing(house).begin()
    told = await importing.add(row("canary-7001"), row("9"), row("canary-7001"))
    service = await Importing(house, purpose="service").begin()

    assert (told.granted, told.suppressed) == (1, 2)
    assert await importing.aside() == {1: "revoked", 3: "revoked"}
    assert (await service.add(row("canary-7001"))).suppressed == 1
    assert await house.answer("canary-7001") == "no_consent"


async def test_an_older_yes_does_not_count_and_a_fresh_one_does(house: House) -> None:
    said = await a_person(house)
    erased = await erase(house, said.person_id)
    earlier, later = erased.erased_at - timedelta(seconds=1), clock.now() + timedelta(seconds=1)
    old = await house.say("grant", "canary-7001", source="telegram.start", at=earlier)
    reason = await house.answer("canary-7001")
    new = await house.say("grant", "canary-7001", source="telegram.start", at=later)

    assert (old.state, old.reason, reason) == ("unchanged", "older_than_revocation", "no_consent")
    assert new.state == "granted"
    assert await house.answer("canary-7001") == "granted"
    assert said.person_id != new.person_id == old.person_id


async def test_the_no_outlives_a_second_erasure_too(house: House) -> None:
    first = await erase(house, (await a_person(house)).person_id)
    again = await house.say("grant", "canary-7001", at=clock.now() + timedelta(seconds=1))
    second = await erase(house, again.person_id, EraseIn(id=new_id(), by="person"))
    old = await house.say("grant", "canary-7001", at=first.erased_at + timedelta(milliseconds=1))

    assert second.seq > first.seq
    assert old.reason == "older_than_revocation"


async def test_another_brands_person_at_the_same_address_is_another_person(house: House) -> None:
    said = await a_person(house)
    other = await House(house.client).open(bot="telegram")
    await a_person(other)
    await erase(house, said.person_id)

    assert await other.answer("canary-7001") == "granted"
    assert (await (await Importing(other).begin()).add(row("canary-7001"))).known == 1


async def test_a_repeated_order_gets_the_same_answer_and_another_finds_nobody(house: House) -> None:
    said = await a_person(house)
    order = EraseIn(id=new_id(), by="brand")
    told = await asyncio.gather(*(erase(house, said.person_id, order) for _ in range(5)))

    assert len({each.model_dump_json() for each in told}) == 1
    for reading in (
        erase(house, said.person_id),
        house.client.get_person(house.brand_id, said.person_id),
        house.client.history(house.brand_id, said.person_id),
    ):
        with pytest.raises(ServiceRefused) as refused:
            await reading
        assert (refused.value.status, refused.value.code) == (404, "unknown_person")
    with pytest.raises(ServiceRefused) as reused:
        await erase(house, said.person_id, EraseIn(id=said.id, by="brand"))
    assert reused.value.code == "id_reused"


async def test_a_repeat_of_what_they_said_once_does_not_bring_them_back(
    house: House, owner_database: Database
) -> None:
    event = house.event("revoke", "canary-7001", evidence=SAID)
    said = await house.client.record(event)
    await erase(house, said.person_id)
    again = await house.client.record(event)
    rows = await dump(owner_database, house.brand_id)

    assert again == said.model_copy(update={"reaches": ()})
    assert rows["person"] == rows["identity"] == []


async def test_whoever_writes_while_being_erased_is_met_anew_with_the_no_of_then(
    house: House, registry: Registry
) -> None:
    said = await a_person(house)
    importing = await Importing(house).begin()
    async with registry.database.connection(house.brand_id) as connection:
        await queries.lock(connection, brand_id=house.brand_id, person_id=said.person_id)
        erasing = asyncio.create_task(erase(house, said.person_id))
        await _waiting(registry, 1)
        listed = asyncio.create_task(importing.add(row("canary-7001"), row("8")))
        spoken = asyncio.create_task(house.say("revoke", "canary-7001"))
        await _waiting(registry, 3)
    await erasing

    assert (await listed).suppressed == 1
    assert (await spoken).person_id != said.person_id
    assert await house.answer("canary-7001") == "revoked"
    assert await house.answer("8") == "granted"


async def test_what_has_run_out_of_an_erased_person_ends_nothing(
    house: House, registry: Registry
) -> None:
    soon = clock.now() + timedelta(milliseconds=300)
    said = await house.say("grant", "canary-7001", expires_at=soon)
    await erase(house, said.person_id)
    await asyncio.sleep(0.4)
    await Expiry(registry).step()

    assert len(await leaves_of(registry, house)) == 2


async def leaves_of(registry: Registry, house: House) -> list[asyncpg.Record]:
    """The house's log, once all that was recorded is in it."""
    while await Notary(registry).advance(house.brand_id):
        pass
    return await leaves(registry, house)


async def _waiting(registry: Registry, count: int) -> None:
    """Return when so many sessions wait for a lock."""
    async with asyncio.timeout(20):
        while True:
            async with registry.database.connection() as connection:
                found = await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            if found >= count:
                return


async def test_keys_are_wrapped_anew_and_no_line_changes(house: House, urls: Urls) -> None:
    said = await a_person(house)
    older, newer = "A" * 43, "E" * 43
    both = settings_for(urls.consent).model_copy(
        update={"sealing_keys": {"k1": SecretStr(older), "k2": SecretStr(newer)}}
    )
    first, second = await rewrapping.run(both), await rewrapping.run(both)
    registry = create_app(
        both.model_copy(update={"sealing_keys": {"k2": SecretStr(newer)}})
    ).state.registry
    history = await people.history(
        registry, brand_id=house.brand_id, person_id=said.person_id, after=0, limit=10
    )
    await rewrapping.run(
        both.model_copy(update={"sealing_keys": {"k2": SecretStr(newer), "k1": SecretStr(older)}})
    )
    await registry.database.close()

    assert (first > 0, second) == (True, 0)
    assert [item.evidence for item in history.items] == [SAID, SAID]


@pytest.mark.parametrize("key", ["", "C" * 20, "not base64!" * 8])
def test_a_wrong_secret_ends_the_start(key: str) -> None:
    with pytest.raises(ValueError, match="CONSENT_SUPPRESSION_KEY"):
        Suppressor([key])


def test_a_hash_is_of_one_address_of_one_channel_of_one_brand() -> None:
    suppressor, brand = Suppressor(["C" * 43]), new_id()
    hashes = {
        suppressor.hash(brand, "telegram", "42"),
        suppressor.hash(brand, "telegram4", "2"),
        suppressor.hash(new_id(), "telegram", "42"),
        Suppressor(["D" * 42 + "A"]).hash(brand, "telegram", "42"),
    }

    assert len(hashes) == 4
    assert suppressor.hash(brand, "telegram", "42") in hashes
