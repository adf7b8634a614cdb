"""What is recorded holds, once, in the ledger's order."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.consent.registry import Registry
from shared.clients.base import ServiceRefused
from shared.contracts.consent import Evidence, Profile, Scope
from shared.database import Database
from shared.ids import new_id
from tests.consent.consent_house import House

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def lines(house: House, database: Database) -> int:
    """How many lines the ledger has for this brand, as the owner sees it."""
    async with database.connection() as connection:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM consent.event WHERE brand_id = $1", house.brand_id
            )
        )


async def test_a_yes_is_a_yes_and_a_no_is_a_no(house: House) -> None:
    before = await house.answer()
    granted = await house.say("grant")
    after_yes = await house.answer()
    revoked = await house.say("revoke")
    after_no = await house.answer()

    assert (before, after_yes, after_no) == ("no_consent", "granted", "revoked")
    assert (granted.state, revoked.state) == ("granted", "revoked")
    assert granted.seq < revoked.seq
    assert granted.person_id == revoked.person_id
    assert granted.effective_at < revoked.effective_at


@pytest.mark.parametrize("action", ["grant", "revoke", "block", "unblock", "seen"])
async def test_a_repeat_of_an_event_gets_the_same_answer_and_changes_nothing(
    house: House, owner_database: Database, action: str
) -> None:
    await house.say("grant", at=NOON)
    event = house.event(action, "43", at=NOON + MINUTE)
    first = await house.client.record(event)
    await house.say("grant", "43", at=NOON + 2 * MINUTE, source="telegram.start")
    answer, written = await house.answer("43"), await lines(house, owner_database)

    again = await house.client.record(event)

    assert again == first
    assert await house.answer("43") == answer == "granted"
    assert await lines(house, owner_database) == written


async def test_an_id_names_one_event_only(house: House) -> None:
    event = house.event("grant")
    await house.client.record(event)

    for other in ({"action": "revoke"}, {"address": "43"}, {"purpose": "service"}):
        with pytest.raises(ServiceRefused) as refused:
            await house.client.record(event.model_copy(update=other))
        assert (refused.value.status, refused.value.code) == (409, "id_reused")
    assert await house.answer("43") == "no_consent"


async def test_an_unknown_account_is_refused_and_so_is_another_brands(house: House) -> None:
    other = House(house.client)
    await other.open(bot="telegram")

    for event in (
        house.event("grant").model_copy(update={"account_id": new_id()}),
        house.event("grant").model_copy(update={"account_id": other.accounts["bot"]}),
    ):
        with pytest.raises(ServiceRefused) as refused:
            await house.client.record(event)
        assert (refused.value.status, refused.value.code) == (404, "unknown_account")


@pytest.mark.parametrize("late", [NOON, NOON - MINUTE])
async def test_a_yes_that_was_overtaken_by_a_no_stays_without_effect(
    house: House, late: datetime
) -> None:
    await house.say("revoke", at=NOON)

    recorded = await house.say("grant", at=late)

    assert (recorded.state, recorded.reason) == ("unchanged", "older_than_revocation")
    assert recorded.reaches == ()
    assert await house.answer() == "revoked"


async def test_a_later_yes_and_one_without_a_time_count(house: House) -> None:
    await house.say("revoke", at=NOON)
    later = await house.say("grant", at=NOON + MINUTE)
    await house.say("revoke", at=NOON + 2 * MINUTE)
    timeless = await house.say("grant")

    assert (later.state, timeless.state) == ("granted", "granted")
    assert await house.answer() == "granted"


async def test_a_no_always_counts_however_old_it_says_it_is(house: House) -> None:
    await house.say("grant", at=NOON)

    recorded = await house.say("revoke", at=NOON - 600 * MINUTE)

    assert recorded.state == "revoked"
    assert await house.answer() == "revoked"


async def test_a_late_no_does_not_make_an_earlier_one_forgotten(house: House) -> None:
    await house.say("revoke", at=NOON)
    await house.say("revoke", at=NOON - 10 * MINUTE)

    between = await house.say("grant", at=NOON - 5 * MINUTE)

    assert (between.state, between.reason) == ("unchanged", "older_than_revocation")


@pytest.mark.parametrize(
    "at",
    [
        datetime(2999, 1, 1, tzinfo=UTC),
        datetime.fromisoformat("9999-12-31T23:59:59"),
        datetime.fromisoformat("0001-01-01T00:00:00"),
        datetime.fromisoformat("0001-01-01T00:00:00+14:00"),
        datetime.fromisoformat("9999-12-31T23:59:59-14:00"),
    ],
)
async def test_a_broken_clock_loses_no_revocation(house: House, at: datetime) -> None:
    await house.say("grant")
    recorded = await house.say("revoke", at=at)
    revoked = await house.answer()
    again = await house.say("grant")

    assert (recorded.state, revoked, again.state) == ("revoked", "revoked", "granted")


async def test_a_yes_with_an_end_holds_until_then(house: House) -> None:
    ended = await house.say("grant", expires_at=datetime.now(UTC) - MINUTE)
    after_ended = await house.answer()
    await house.say("grant", expires_at=datetime.now(UTC) + MINUTE)

    assert (ended.state, ended.reason) == ("unchanged", "expired")
    assert after_ended == "no_consent"
    assert await house.answer() == "granted"


async def test_blocking_is_a_no_and_unblocking_is_not_a_yes(house: House) -> None:
    await house.say("grant", at=NOON)
    await house.say("grant", purpose="service", at=NOON)
    blocked = await house.say("block", at=NOON + MINUTE)
    while_blocked = await house.answer(), await house.answer(purpose="service")
    await house.say("unblock", at=NOON + 2 * MINUTE)

    assert (blocked.state, blocked.reason) == ("revoked", "blocked")
    assert [(r.account_id, r.address) for r in blocked.reaches] == [(house.accounts["bot"], "42")]
    assert while_blocked == ("blocked", "blocked")
    assert await house.answer() == "revoked"
    assert await house.answer(purpose="service") == "granted"
    assert (await house.say("grant", at=NOON)).reason == "older_than_revocation"


async def test_an_unblocking_that_was_overtaken_by_a_block_stays_without_effect(
    house: House,
) -> None:
    await house.say("block", at=NOON)

    recorded = await house.say("unblock", at=NOON)

    assert recorded.reason == "older_than_block"
    assert await house.answer() == "blocked"


async def test_a_yes_from_elsewhere_waits_for_the_unblocking_and_one_in_the_chat_does_not(
    house: House,
) -> None:
    await house.say("block")
    await house.say("grant", source="web_form")
    from_elsewhere = await house.answer()
    await house.say("unblock")
    after_unblocking = await house.answer()
    await house.say("block")
    await house.say("grant", source="telegram.start")

    assert (from_elsewhere, after_unblocking) == ("blocked", "granted")
    assert await house.answer() == "granted"


async def test_being_seen_agrees_to_nothing_and_is_written_once(
    house: House, owner_database: Database
) -> None:
    first = await house.say("seen", profile=Profile(language="pt_BR"))
    written = await lines(house, owner_database)
    again = await house.say("seen", profile=Profile(language="it"))
    person = await house.client.get_person(house.brand_id, first.person_id)

    assert (first.state, again.state) == ("unchanged", "unchanged")
    assert first.seq > 0
    assert again.seq == 0
    assert first.person_id == again.person_id
    assert await lines(house, owner_database) == written == 1
    assert person.language == "pt-BR"
    assert await house.answer() == "no_consent"


async def test_help_is_answered_to_somebody_we_know_too(house: House) -> None:
    answers = []
    for _ in range(2):
        evidence = Evidence(source="chat", text="HELP")
        answers.append(await house.say("heard", evidence=evidence, wants_reply=True))

    assert [answer.seq > 0 for answer in answers] == [True, False]
    assert all(answer.heard and answer.heard.meaning == "help" for answer in answers)
    assert all(answer.reply and "Aurora" in answer.reply for answer in answers)


async def test_a_stop_holds_for_a_brand_whose_facts_are_not_there(house: House) -> None:
    bare = House(house.client)
    await bare.add("bot", "telegram")
    await bare.say("grant")

    revoked = await bare.say("revoke", scope=Scope.CHANNEL)

    assert revoked.state == "revoked"
    assert await bare.answer() == "revoked"


async def test_a_language_that_is_none_is_passed_over(house: House) -> None:
    for told in ("\x00", "", "x" * 60, "it'; DROP", "-"):
        recorded = await house.say("seen", profile=Profile(language=told))
    person = await house.client.get_person(house.brand_id, recorded.person_id)

    assert person.language is None


async def test_evidence_is_sealed_where_it_lies(house: House, owner_database: Database) -> None:
    canary = "canary-of-a-persons-words"
    evidence = Evidence(source="chat", text=canary + "\x00", ip="203.0.113.77")
    recorded = await house.say("revoke", evidence=evidence)
    async with owner_database.connection() as connection:
        rows = await connection.fetch(
            "SELECT e::text, sealed FROM consent.event e WHERE brand_id = $1", house.brand_id
        )
    history = await house.client.history(house.brand_id, recorded.person_id)

    assert len(rows) == 1
    assert canary.encode() not in rows[0]["sealed"]
    assert canary not in rows[0]["e"]
    assert history.items[0].evidence == evidence


async def test_for_one_person_the_last_line_is_what_holds(
    house: House, owner_database: Database
) -> None:
    for round_ in range(5):
        address = f"p{round_}"
        events = [house.event(("grant", "revoke")[n % 2], address) for n in range(16)]
        recorded = await asyncio.gather(*(house.client.record(event) for event in events))
        last = max(recorded, key=lambda each: each.seq)
        async with owner_database.connection() as connection:
            state = await connection.fetchrow(
                "SELECT status, seq, event_id FROM consent.state"
                " WHERE address = $1 AND brand_id = $2",
                address,
                house.brand_id,
            )
            times = await connection.fetch(
                "SELECT recorded_at FROM consent.event"
                " WHERE person_id = $1 AND brand_id = $2 ORDER BY seq",
                last.person_id,
                house.brand_id,
            )

        assert len({each.person_id for each in recorded}) == 1
        assert (state["status"], state["seq"], state["event_id"]) == (last.state, last.seq, last.id)
        assert await house.answer(address) == last.state
        assert [row[0] for row in times] == sorted(row[0] for row in times)


async def test_many_repeats_at_once_are_one_line(house: House, owner_database: Database) -> None:
    event = house.event("grant")

    answers = await asyncio.gather(*(house.client.record(event) for _ in range(12)))

    assert len({answer.model_dump_json() for answer in answers}) == 1
    assert await lines(house, owner_database) == 1


async def test_a_revocation_waits_for_a_grant_in_hand_and_comes_after_it(
    house: House, registry: Registry
) -> None:
    granted = await house.say("grant")
    async with registry.database.connection(house.brand_id) as connection:
        await connection.execute(
            "SELECT 1 FROM consent.person WHERE id = $1 FOR UPDATE", granted.person_id
        )
        revoking = asyncio.create_task(house.say("revoke"))
        await _until_somebody_waits(connection)
        number_before = await connection.fetchval("SELECT max(seq) FROM consent.event")
        waited = not revoking.done()
    recorded = await revoking

    assert waited
    assert number_before == granted.seq
    assert recorded.seq > granted.seq


async def _until_somebody_waits(connection: asyncpg.Connection) -> None:
    """Return once another session waits for a lock of this one's."""
    await connection.execute(
        "DO $do$ BEGIN WHILE NOT EXISTS (SELECT 1 FROM pg_stat_activity"
        " WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))) LOOP"
        " PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01); END LOOP; END $do$"
    )
