"""What becomes true in the registry is told to brands, once."""

import asyncio

import pytest

from services.dispatcher import feed
from services.dispatcher.feed import FeedFollower
from shared.clients.base import ServiceUnavailable
from tests.dispatcher.desk_rig import Rig


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WAIT", 0.0)


async def follow(rig: Rig) -> int:
    follower = FeedFollower(rig.desk)
    told = 0
    while step := await follower.step():
        told += step
    return told


async def test_grants_and_revocations_are_told_in_order_once(rig: Rig) -> None:
    granted = await rig.say("grant", "1")
    revoked = await rig.say("revoke", "1")

    first, second = await follow(rig), await follow(rig)

    told = list(reversed(await rig.events()))
    assert (first, second) == (2, 0)
    assert [e.type for e in told] == ["consent.granted", "consent.revoked"]
    assert [e.data["consent_event_id"] for e in told] == [str(granted.id), str(revoked.id)]
    assert told[0].data["address"] == "1"


async def test_two_followers_tell_nothing_twice(rig: Rig) -> None:
    for address in "12345":
        await rig.say("grant", address)

    await asyncio.gather(*(follow(rig) for _ in range(3)))

    assert len(await rig.events("consent.granted")) == 5


async def test_a_crash_before_the_commit_repeats_and_doubles_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.say("grant", "1")
    recorded = feed.events.record

    async def die(*args: object) -> int:
        await recorded(*args)
        raise ConnectionResetError("the power went off before the commit")

    with monkeypatch.context() as crash:
        crash.setattr(feed.events, "record", die)
        with pytest.raises(ConnectionResetError):
            await follow(rig)
    after_crash = await rig.events()

    assert after_crash == []
    assert await follow(rig) == 1
    assert len(await rig.events()) == 1


async def test_consent_away_is_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(**question: object) -> None:
        raise ServiceUnavailable("consent", "cut off", sent=False)

    await rig.say("grant", "1")
    with monkeypatch.context() as cut:
        cut.setattr(rig.desk.consent, "feed", away)
        assert await follow(rig) == 0

    assert await follow(rig) == 1
