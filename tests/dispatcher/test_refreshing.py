"""Whoever's consent runs out is asked in their chat, by one message, whatever dies on the way."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from channels.registry import CHANNELS
from services.consent.expiring import Expiring, refresh_id
from services.dispatcher import feed, refreshing
from services.dispatcher.feed import FeedFollower
from shared import buttons
from shared.clients.base import ServiceUnavailable
from shared.contracts.consent import AccountFacts
from shared.contracts.feed import FeedItem
from shared.contracts.policy import BrandPolicy
from shared.ids import derived_id, new_id
from tests.dispatcher.desk_rig import Rig
from tests.turning import let_pass

SEVENTY = timedelta(days=71)
GROUP = "-1001234567890"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WAIT", 0.0)


async def follow(rig: Rig) -> None:
    follower = FeedFollower(rig.desk)
    while await follower.step():
        pass


async def due(rig: Rig, *addresses: str, **more: Any) -> list[Any]:
    """Let people agree, and let it be time to ask them."""
    rules = BrandPolicy(expires_after_days={"marketing": 100})
    await rig.consent.put_policy(rig.brand_id, rules)
    granted = [await rig.say("grant", address, **more) for address in addresses]
    await let_pass(rig.registry.database, rig.brand_id, SEVENTY)
    while await Expiring(rig.registry).step():
        pass
    return granted


async def messages(rig: Rig) -> list[Any]:
    return await rig.sql(
        "SELECT id, address, purpose, status, reason, person_id, language, content"
        " FROM dispatcher.message WHERE brand_id = $1",
        rig.brand_id,
    )


async def test_the_question_is_one_message_of_marketing_with_two_buttons(rig: Rig) -> None:
    (granted,) = await due(rig, "1")
    await follow(rig)
    await rig.work()

    (message,) = await messages(rig)
    (event,) = await rig.events("consent.expiring")
    history = await rig.consent.history(rig.brand_id, granted.person_id)
    notice = history.items[-1]
    (part,) = message["content"]["parts"]
    (row,) = part["params"]["reply_markup"]["inline_keyboard"]

    assert message["id"] == derived_id(refresh_id(granted.id), "question")
    assert (message["address"], message["purpose"]) == ("1", "marketing")
    assert (message["status"], message["person_id"]) == ("queued", granted.person_id)
    assert part["params"]["text"] == notice.evidence.wording
    assert [each["callback_data"] for each in row] == [
        f"{buttons.YES}{notice.id.hex}",
        f"{buttons.NO}{notice.id.hex}",
    ]
    assert notice.evidence.notice.message_id == message["id"]
    assert event.data["expires_at"] is not None
    assert "text" not in event.data


async def test_a_topic_is_asked_about_as_that_topic(rig: Rig) -> None:
    await due(rig, "1", purpose="marketing.events")
    await follow(rig)
    await rig.work()

    (message,) = await messages(rig)
    assert (message["purpose"], message["status"]) == ("marketing.events", "queued")


async def test_followers_and_workers_side_by_side_ask_once(rig: Rig) -> None:
    await due(rig, *"123456")
    await asyncio.gather(*(follow(rig) for _ in range(3)))
    await asyncio.gather(*(rig.work() for _ in range(3)))
    await follow(rig)
    await rig.work()

    assert sorted(each["address"] for each in await messages(rig)) == list("123456")


@pytest.mark.parametrize("step", ["record", "later"])
async def test_a_crash_of_the_follower_lists_nothing_twice_and_forgets_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await due(rig, "1")
    where = feed.work if step == "later" else feed.events
    does = getattr(where, step)

    async def die(*args: Any, **more: Any) -> None:
        await does(*args, **more)
        raise ConnectionResetError("the power went off before the commit")

    with monkeypatch.context() as crash:
        crash.setattr(where, step, die)
        with pytest.raises(ConnectionResetError):
            await follow(rig)
    after_crash = (await rig.work_kinds(), await rig.events())
    await follow(rig)

    assert after_crash == ([], [])
    assert await rig.work_kinds() == ["refresh"]


@pytest.mark.parametrize("dies", ["before the message", "after the message"])
async def test_a_crash_of_the_worker_repeats_and_doubles_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    (granted,) = await due(rig, "1")
    await follow(rig)
    put = refreshing.singles.put

    async def die(*args: Any) -> None:
        if dies == "after the message":
            await put(*args)
        raise ConnectionResetError("the power went off")

    with monkeypatch.context() as crash:
        crash.setattr(refreshing.singles, "put", die)
        await rig.work()
    assert await rig.work_kinds() == ["refresh"]
    await rig.sql("UPDATE dispatcher.work SET due_at = now() WHERE brand_id = $1", rig.brand_id)
    await rig.work()

    history = await rig.consent.history(rig.brand_id, granted.person_id)
    assert len(await messages(rig)) == 1
    assert [entry.action for entry in history.items] == ["grant", "refresh", "notice"]
    assert await rig.work_kinds() == []


async def test_consent_away_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await due(rig, "1")
    await follow(rig)

    async def away(*args: Any, **question: Any) -> None:
        raise ServiceUnavailable("consent", "cut off", sent=False)

    with monkeypatch.context() as cut:
        cut.setattr(rig.desk.consent, "ask_refresh", away)
        await rig.work()
    before = await messages(rig)
    await rig.sql("UPDATE dispatcher.work SET due_at = now() WHERE brand_id = $1", rig.brand_id)
    await rig.work()

    assert (before, len(await messages(rig))) == ([], 1)


@pytest.mark.parametrize("meanwhile", ["revoke", "pause", "block", "grant"])
async def test_a_word_that_comes_before_the_question_is_heard(rig: Rig, meanwhile: str) -> None:
    await due(rig, "1")
    await follow(rig)
    await rig.say(meanwhile, "1")
    await rig.work()

    assert await messages(rig) == []
    assert await rig.work_kinds() == []


@pytest.mark.parametrize("meanwhile", ["revoke", "pause"])
async def test_a_word_that_comes_between_question_and_message_is_heard_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    await due(rig, "1")
    await follow(rig)
    fetch = rig.desk.consent.ask_refresh

    async def then(*args: Any, **question: Any) -> Any:
        asked = await fetch(*args, **question)
        await rig.say(meanwhile, "1")
        return asked

    monkeypatch.setattr(rig.desk.consent, "ask_refresh", then)
    await rig.work()

    (message,) = await messages(rig)
    assert message["status"] == "withheld"
    assert message["reason"] == {"revoke": "revoked", "pause": "paused"}[meanwhile]


async def test_an_account_that_is_gone_ends_it(rig: Rig) -> None:
    await due(rig, "1")
    await follow(rig)
    await rig.sql(
        "UPDATE dispatcher.account SET deleted_at = now() WHERE brand_id = $1", rig.brand_id
    )
    await rig.work()

    assert (await messages(rig), await rig.work_kinds()) == ([], [])


async def test_where_nobody_can_be_asked_the_brand_is_told_all_the_same(rig: Rig) -> None:
    shop = new_id()
    await rig.consent.put_account(AccountFacts(id=shop, brand_id=rig.brand_id, channel="webhook"))
    await due(rig, "anna", account_id=shop)
    await follow(rig)
    await rig.work()

    (event,) = await rig.events("consent.expiring")
    assert (event.data["channel"], event.data["address"]) == ("webhook", "anna")
    assert await messages(rig) == []


def item(**more: Any) -> FeedItem:
    data = {"channel": "telegram", "address": "1", **more.pop("data", {})}
    told = {"cursor": 1, "brand_id": new_id(), "event_id": new_id(), "data": data, **more}
    return FeedItem.model_validate(
        {"type": "consent.expiring", "at": "2026-11-22T09:00:00Z", **told}
    )


@pytest.mark.parametrize(
    ("told", "asks"),
    [
        (item(), True),
        (item(type="consent.expired"), False),
        (item(data={"channel": "webhook"}), False),
        (item(data={"channel": "smoke"}), False),
        (item(data={"address": None}), False),
        (item(data={"address": GROUP}), False),
    ],
)
def test_people_are_asked_in_chats_of_their_own_alone(told: FeedItem, asks: bool) -> None:
    assert refreshing.due(told, CHANNELS) == (told.event_id if asks else None)
