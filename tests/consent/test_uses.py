"""Grants that are good for a number of messages: each message takes one, once, and then it ends."""

import asyncio

from services.consent.expiry import Expiry
from services.consent.registry import Registry
from shared.ids import new_id
from tests.consent.consent_house import House

TOPIC = "marketing.back-in-stock"


async def test_one_yes_is_good_for_one_message(house: House) -> None:
    granted = await house.say("grant", purpose=TOPIC, uses=1)
    asked = [await house.answer(purpose=TOPIC) for _ in range(2)]
    message = [new_id()]
    (first,) = await house.check("42", purpose=TOPIC, messages=message)
    (again,) = await house.check("42", purpose=TOPIC, messages=message)

    assert asked == ["granted", "granted"]
    assert (first.allowed, first.consent_event_id) == (True, str(granted.id))
    assert (again.allowed, again.consent_event_id) == (True, str(granted.id))
    assert await house.send(purpose=TOPIC) == "expired"
    assert await house.answer(purpose=TOPIC) == "expired"
    assert await house.answer() == "no_consent"


async def test_what_is_used_up_becomes_a_line_and_news_as_any_end(
    house: House, registry: Registry, start: int
) -> None:
    granted = await house.say("grant", purpose=TOPIC, uses=1)
    message = [new_id()]
    await house.check("42", purpose=TOPIC, messages=message)
    while await Expiry(registry).step():
        pass
    feed = (await house.client.feed(after=start)).items
    news = [item.type for item in feed if item.brand_id == house.brand_id]
    (again,) = await house.check("42", purpose=TOPIC, messages=message)
    person = await house.client.get_person(house.brand_id, granted.person_id)

    assert news == ["consent.granted", "consent.expired"]
    assert (again.allowed, again.consent_event_id) == (True, str(granted.id))
    assert [state.status for state in person.consents] == ["expired"]


async def test_what_is_left_adds_up_and_an_unlimited_yes_stays_so(house: House) -> None:
    await house.say("grant", purpose=TOPIC, uses=1)
    granted = await house.say("grant", purpose=TOPIC, uses=2)
    person = await house.client.get_person(house.brand_id, granted.person_id)
    sent = [await house.send(purpose=TOPIC) for _ in range(4)]

    assert [state.uses_left for state in person.consents] == [3]
    assert sent == ["granted"] * 3 + ["expired"]

    await house.say("grant", purpose=TOPIC)
    await house.say("grant", purpose=TOPIC, uses=1)
    assert [await house.send(purpose=TOPIC) for _ in range(3)] == ["granted"] * 3


async def test_a_new_yes_begins_anew_after_the_last_was_used_up(house: House) -> None:
    await house.say("grant", purpose=TOPIC, uses=1)
    await house.send(purpose=TOPIC)
    await house.say("grant", purpose=TOPIC, uses=1)

    assert [await house.send(purpose=TOPIC) for _ in range(2)] == ["granted", "expired"]


async def test_a_no_holds_also_for_a_message_that_took_its_use_before(house: House) -> None:
    await house.say("grant", purpose=TOPIC, uses=2)
    message = [new_id()]
    await house.check("42", purpose=TOPIC, messages=message)
    await house.say("revoke", purpose=TOPIC)
    (asked,) = await house.check("42", purpose=TOPIC, messages=message)

    assert (asked.allowed, asked.reason) == (False, "revoked")
    assert await house.send(purpose=TOPIC) == "revoked"


async def test_a_day_on_which_a_counted_yes_ends_holds_for_messages_that_have_a_use_too(
    house: House, registry: Registry
) -> None:
    await house.say("grant", purpose=TOPIC, uses=2)
    message = [new_id()]
    await house.check("42", purpose=TOPIC, messages=message)
    async with registry.database.connection(house.brand_id) as connection:
        await connection.execute("UPDATE consent.state SET expires_at = now()")
    (asked,) = await house.check("42", purpose=TOPIC, messages=message)

    assert (asked.allowed, asked.reason) == (False, "expired")


async def test_many_who_ask_at_once_get_no_more_than_there_is(house: House) -> None:
    await house.say("grant", purpose=TOPIC, uses=3)
    answers = await asyncio.gather(*(house.send(purpose=TOPIC) for _ in range(8)))

    assert sorted(answers) == ["expired"] * 5 + ["granted"] * 3


async def test_what_has_to_wait_uses_nothing_up(house: House) -> None:
    await house.rule(caps=[{"messages": 1, "days": 1}])
    await house.say("grant", purpose=TOPIC, uses=2)
    first, second = await house.send(purpose=TOPIC), await house.send(purpose=TOPIC)
    person = await house.client.find_person(
        brand_id=house.brand_id, address="42", channel="telegram"
    )

    assert (first, second) == ("granted", "capped")
    assert [state.uses_left for state in person.consents] == [1]


async def test_the_evidence_says_for_how_many_messages_it_was_given(house: House) -> None:
    granted = await house.say("grant", purpose=TOPIC, uses=1)
    (entry,) = (await house.client.history(house.brand_id, granted.person_id)).items

    assert entry.evidence.uses == 1
