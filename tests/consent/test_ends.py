"""A yes is good for as long as its purpose is, however it was given; and everybody is told."""

from datetime import timedelta
from typing import Any

import pytest

from services.consent.registry import Registry
from shared.contracts.consent import ConsentRecorded, ConsentState, Evidence
from shared.contracts.imports import ImportIn, ImportRow, ImportRows
from shared.contracts.policy import BrandPolicy
from shared.ids import new_id
from tests.consent.consent_house import House
from tests.turning import let_pass

DAYS = 400
TERM = timedelta(days=DAYS)
RULES = BrandPolicy(expires_after_days={"marketing": DAYS}, double_opt_in=False)


@pytest.fixture
async def ending(house: House) -> House:
    """A house in which a yes to marketing is good for some days."""
    await house.client.put_policy(house.brand_id, RULES)
    return house


async def chat(house: House, action: str = "heard", text: str = "START", **more: Any):
    evidence = Evidence(source="chat", text=text)
    event = house.event(
        action, wants_reply=True, reply_id=new_id(), **{"evidence": evidence, **more}
    )
    return await house.client.record(event)


async def tapped(house: House, asked: ConsentRecorded) -> ConsentRecorded:
    assert asked.question is not None
    button = Evidence(source="button", rule="button:permesso:yes:")
    return await chat(house, "confirm", evidence=button, question=asked.question.id)


async def imported(house: House, address: str = "42") -> None:
    begun = ImportIn(id=new_id(), brand_id=house.brand_id, account_id=house.accounts["bot"])
    await house.client.begin_import(begun)
    said = Evidence(source="shop_till", wording="Yes")
    rows = (ImportRow(address=address, evidence=said),)
    await house.client.import_rows(house.brand_id, begun.id, ImportRows(first=1, rows=rows))


async def state(house: House, address: str = "42", purpose: str = "marketing") -> ConsentState:
    account_id = house.accounts["bot"]
    person = await house.client.find_person(
        brand_id=house.brand_id, account_id=account_id, address=address
    )
    (found,) = [each for each in person.consents if each.purpose == purpose]
    return found


async def listed(registry: Registry, house: House) -> list[Any]:
    """When what the brand's grants are good for ends, and when to ask."""
    async with registry.database.connection(house.brand_id) as connection:
        return await connection.fetch(
            "SELECT event_id, expires_at, ask_at FROM consent.expiry WHERE brand_id = $1",
            house.brand_id,
        )


@pytest.mark.parametrize("way", ["api", "START", "link", "confirm", "import"])
async def test_every_way_of_granting_begins_the_same_time(
    ending: House, registry: Registry, way: str
) -> None:
    match way:
        case "api":
            await ending.say("grant")
        case "START":
            await chat(ending)
        case "link":
            await chat(ending, "grant", evidence=Evidence(source="telegram.start"))
        case "confirm":
            both = RULES.model_copy(update={"double_opt_in": True})
            await ending.client.put_policy(ending.brand_id, both)
            await tapped(ending, await chat(ending))
        case _:
            await imported(ending)

    held = await state(ending)
    (due,) = await listed(registry, ending)
    receipt = await ending.client.receipt(ending.brand_id, held.consent_event_id)
    person = await ending.client.find_person(
        brand_id=ending.brand_id, account_id=ending.accounts["bot"], address="42"
    )
    history = await ending.client.history(ending.brand_id, person.id)

    assert held.status == "granted"
    assert held.expires_at == held.since + TERM
    assert (due["event_id"], due["expires_at"]) == (held.consent_event_id, held.expires_at)
    assert due["ask_at"] == held.expires_at - timedelta(days=30)
    assert receipt.receipt.event.expires_at == held.expires_at
    assert history.items[-1].expires_at == held.expires_at


async def test_pending_is_good_for_nothing_and_its_second_half_counts(
    ending: House, registry: Registry
) -> None:
    both = RULES.model_copy(update={"double_opt_in": True})
    await ending.client.put_policy(ending.brand_id, both)
    asked = await chat(ending)
    pending = await state(ending)
    before = await listed(registry, ending)
    await let_pass(registry.database, ending.brand_id, timedelta(days=5))
    await tapped(ending, asked)
    held = await state(ending)

    assert (pending.status, pending.expires_at, before) == ("pending", None, [])
    assert held.expires_at == held.since + TERM


@pytest.mark.parametrize(("days", "kept"), [(10, 10), (500, DAYS)])
async def test_what_the_caller_names_holds_where_it_is_earlier(
    ending: House, days: int, kept: int
) -> None:
    granted = await ending.say("grant")
    named = granted.effective_at + timedelta(days=days)
    later = await ending.say("grant", "43", expires_at=named)
    ends = (await state(ending, "43")).expires_at

    assert ends == (named if kept == days else later.effective_at + TERM)


async def test_other_purposes_have_their_own_end_or_none(house: House) -> None:
    ends = {"marketing": 10, "marketing.events": 20, "service": 30}
    await house.client.put_policy(house.brand_id, BrandPolicy(expires_after_days=ends))
    wanted = {**ends, "marketing.news": 10, "measuring": None}
    for purpose in wanted:
        await house.say("grant", purpose=purpose)

    found = {purpose: await state(house, purpose=purpose) for purpose in wanted}
    days = {
        purpose: None if each.expires_at is None else (each.expires_at - each.since).days
        for purpose, each in found.items()
    }
    assert days == wanted


async def test_a_country_says_it_where_the_brand_does_not(house: House) -> None:
    abroad = await House(house.client).open(country="FR", bot="telegram")
    for each in (abroad, house):
        await each.say("grant")
        await imported(each, "43")

    assert [(await state(abroad, a)).expires_at is not None for a in ("42", "43")] == [True, True]
    assert [(await state(house, a)).expires_at for a in ("42", "43")] == [None, None]
    french = await state(abroad)
    assert french.expires_at == french.since + timedelta(days=1095)


async def test_other_rules_hold_for_later_grants(ending: House) -> None:
    await ending.say("grant")
    await ending.client.put_policy(ending.brand_id, BrandPolicy(expires_after_days=None))
    await ending.say("grant", "43")

    assert (await state(ending)).expires_at is not None
    assert (await state(ending, "43")).expires_at is None


@pytest.mark.parametrize("way", ["api", "START"])
async def test_a_yes_that_is_given_again_is_good_for_longer(
    ending: House, registry: Registry, way: str
) -> None:
    await ending.say("grant")
    await let_pass(registry.database, ending.brand_id, timedelta(days=100))
    before = await state(ending)
    await (ending.say("grant") if way == "api" else chat(ending))
    after = await state(ending)

    assert before.expires_at is not None
    assert after.expires_at is not None
    assert timedelta(days=99) < after.expires_at - before.expires_at < timedelta(days=101)


async def test_where_a_yes_has_two_halves_it_is_renewed_by_the_second(
    ending: House, registry: Registry
) -> None:
    both = RULES.model_copy(update={"double_opt_in": True})
    await ending.client.put_policy(ending.brand_id, both)
    await tapped(ending, await chat(ending))
    at_once = await chat(ending)
    await let_pass(registry.database, ending.brand_id, timedelta(days=100))
    before = await state(ending)
    asked = await chat(ending)
    meanwhile = await state(ending)
    renewed = await tapped(ending, asked)
    twice = await tapped(ending, asked)
    after = await state(ending)

    assert (at_once.reason, at_once.question) == ("already_granted", None)
    assert (asked.state, asked.reason) == ("unchanged", "already_granted")
    assert meanwhile == before
    assert (renewed.state, twice.reason) == ("granted", "already_granted")
    assert before.expires_at is not None
    assert after.expires_at is not None
    assert after.expires_at - before.expires_at > timedelta(days=99)
