"""How far a no reaches: every scope, over accounts, channels, purposes and topics."""

import pytest

from shared.contracts.consent import Scope
from tests.consent.consent_house import House

PURPOSES = ("marketing", "marketing.sales", "measuring", "service")


@pytest.fixture
async def chain(house: House) -> House:
    """A brand with two bots and a number; one person is known to both bots and to the number."""
    await house.add("bot2", "telegram")
    await house.add("number", "whatsapp")
    for account in house.accounts:
        for purpose in PURPOSES:
            await house.say("grant", account=account, purpose=purpose)
    return house


async def standing(house: House, address: str = "42") -> dict[str, str]:
    """The purposes that still hold, by account: the first letter of each, `t` for the topic."""
    letters = {"marketing": "m", "marketing.sales": "t", "measuring": "e", "service": "s"}
    held = dict.fromkeys(house.accounts, "")
    for account in house.accounts:
        for purpose, letter in letters.items():
            if await house.answer(address, account=account, purpose=purpose) == "granted":
                held[account] += letter
    return held


@pytest.mark.parametrize(
    ("scope", "purpose", "bot", "bot2"),
    [
        (Scope.PURPOSE, "marketing.sales", "mes", "mtes"),
        (Scope.PURPOSE, "marketing", "es", "mtes"),
        (Scope.PURPOSE, "measuring", "mts", "mtes"),
        (Scope.PURPOSE, "service", "mte", "mtes"),
        (Scope.ACCOUNT, "marketing", "s", "mtes"),
        (Scope.ACCOUNT, "service", "", "mtes"),
        (Scope.CHANNEL, "marketing", "s", "s"),
        (Scope.CHANNEL, "marketing.sales", "s", "s"),
        (Scope.CHANNEL, "service", "", ""),
        (Scope.BRAND, "marketing", "s", "s"),
        (Scope.BRAND, "service", "", ""),
    ],
)
async def test_a_revocation_takes_what_its_scope_says(
    chain: House, scope: Scope, purpose: str, bot: str, bot2: str
) -> None:
    recorded = await chain.say("revoke", scope=scope, purpose=purpose, source="chat")
    held = await standing(chain)

    # Another channel's address is another person to us, so nothing there can be reached.
    assert held == {"bot": bot, "bot2": bot2, "number": "mtes"}
    wide = {
        Scope.PURPOSE: (purpose,),
        **dict.fromkeys((Scope.ACCOUNT, Scope.CHANNEL, Scope.BRAND), ("marketing", "measuring")),
    }[scope]
    if scope is not Scope.PURPOSE and purpose == "service":
        wide = (*wide, "service")
    accounts = {"bot"} if scope in (Scope.PURPOSE, Scope.ACCOUNT) else {"bot", "bot2"}
    assert {r.account_id for r in recorded.reaches} == {chain.accounts[a] for a in accounts}
    assert {r.purposes for r in recorded.reaches} == {wide}
    assert {r.address for r in recorded.reaches} == {"42"}


async def test_on_one_channel_an_address_is_one_person_and_on_another_it_is_not(
    chain: House,
) -> None:
    people = [await chain.say("seen", account=account) for account in chain.accounts]

    assert people[0].person_id == people[1].person_id != people[2].person_id


async def test_a_stop_reaches_accounts_that_never_heard_of_the_person(house: House) -> None:
    await house.add("bot2", "telegram")
    await house.say("grant")

    recorded = await house.say("revoke", scope=Scope.CHANNEL)

    assert {r.account_id for r in recorded.reaches} == set(house.accounts.values())


async def test_a_stop_holds_on_an_account_that_is_opened_later(house: House) -> None:
    granted_before = house.event("grant").evidence.model_copy(update={"at": None})
    revoked = await house.say("revoke", scope=Scope.CHANNEL)
    await house.add("bot2", "telegram")

    late = await house.say(
        "grant",
        account="bot2",
        evidence=granted_before.model_copy(update={"at": revoked.effective_at}),
    )
    in_time = await house.say("grant", account="bot2")

    assert (late.state, late.reason) == ("unchanged", "older_than_revocation")
    assert in_time.state == "granted"
    assert await house.answer(account="bot") == "revoked"


async def test_a_revocation_of_one_account_does_not_stand_against_another(house: House) -> None:
    await house.add("bot2", "telegram")
    revoked = await house.say("revoke", scope=Scope.ACCOUNT)

    same = await house.say("grant", at=revoked.effective_at)
    other = await house.say("grant", account="bot2", at=revoked.effective_at)

    assert (same.state, other.state) == ("unchanged", "granted")


async def test_in_the_united_states_a_stop_is_for_the_whole_brand(house: House) -> None:
    american = House(house.client)
    await american.open(country="US", bot="telegram", number="whatsapp")
    await american.say("grant")

    recorded = await american.say("revoke", scope=Scope.CHANNEL, source="chat")
    person = await american.client.get_person(american.brand_id, recorded.person_id)
    history = await american.client.history(american.brand_id, recorded.person_id)

    assert history.items[-1].scope is Scope.BRAND
    assert person.consents[0].status == "revoked"


async def test_topics_follow_marketing_unless_they_were_refused_by_name(house: House) -> None:
    await house.say("grant")
    await house.say("grant", purpose="marketing.news")
    covered = await house.answer(purpose="marketing.sales")
    await house.say("revoke", purpose="marketing.sales")
    refused = await house.answer(purpose="marketing.sales")
    await house.say("revoke", scope=Scope.CHANNEL)
    stopped = await house.answer(purpose="marketing.news")
    await house.say("grant")
    come_back = {
        topic: await house.answer(purpose=f"marketing.{topic}")
        for topic in ("news", "sales", "other")
    }

    assert (covered, refused, stopped) == ("granted", "revoked", "revoked")
    assert come_back == {"news": "granted", "sales": "revoked", "other": "granted"}


async def test_a_topic_alone_grants_no_other(house: House) -> None:
    await house.say("grant", purpose="marketing.news")

    answers = [await house.answer(purpose=p) for p in ("marketing.news", *PURPOSES)]

    assert answers == ["granted", "no_consent", "no_consent", "no_consent", "no_consent"]


async def test_a_refusal_of_marketing_stands_against_an_older_yes_to_a_topic(house: House) -> None:
    revoked = await house.say("revoke", purpose="marketing")

    older = await house.say("grant", purpose="marketing.news", at=revoked.effective_at)
    newer = await house.say("grant", purpose="marketing.news")

    assert (older.state, newer.state) == ("unchanged", "granted")
