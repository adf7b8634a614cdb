"""A story that is over leaves the chats: deleted while the platform lets us, else in words."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from channels.base import outcomes
from channels.base.channel import Channel, Delivery, Sender
from channels.base.simulator.faults import Fault
from channels.base.simulator.listening import serving
from channels.base.simulator.platform import Simulator
from channels.base.taking_back import Recall, SentPart, TakenBack, TakesBack
from channels.registry import CHANNELS
from shared import clock
from shared.contracts.stories import Frame, Part, RenderedStory
from shared.ids import new_id
from shared.security.addresses import AddressPolicy
from tests.channels.shelf import Shelf, photo_facts, picture

CAN = [name for name, channel in CHANNELS.items() if channel.capabilities.take_back]
BUTTON = {"label": "Shop", "url": "https://shop.example/"}
DAYS_3 = 3 * 86_400


@dataclass
class Street:
    """A channel on its simulated platform, and what was sent through it."""

    channel: Channel
    platform: Simulator
    shelf: Shelf
    sender: Sender
    turns: int = 0

    async def tell(self, person: str, *frames: dict[str, Any], settings: Any = None) -> Recall:
        """Send a story; a frame may name the colour of its picture."""
        made, media = [], {}
        for given in frames:
            frame = dict(given)
            if colour := frame.pop("colour", None):
                frame["media_id"] = self.shelf.put(picture(colour))
                media[frame["media_id"]] = photo_facts(frame["media_id"])
            made.append(Frame.model_validate(frame))
        story = RenderedStory(title="t", language="it", frames=tuple(made), media=media)
        message_id, sent = new_id(), []
        for number, part in enumerate(self.channel.render(story, settings or {}).parts):
            taken = await self.sender.send(self._delivery(message_id, number, person, part))
            sent.append(SentPart(part, taken.platform_ids, clock.now()))
        return Recall(message_id, person, tuple(sent), "Questa storia è finita.")

    def _delivery(self, message_id: Any, number: int, person: str, part: Part) -> Delivery:
        deadline = clock.ticks() + 5
        return Delivery(new_id(), message_id, number, person, part, deadline)

    async def take_back(self, recall: Recall) -> TakenBack:
        assert isinstance(self.sender, TakesBack)
        return await self.sender.take_back(recall, self._turn)

    async def _turn(self) -> None:
        self.turns += 1

    def words(self, person: str) -> list[str]:
        return [message["text"] for message in self.platform.phone(person)]

    def later(self, recall: Recall, seconds: float) -> Recall:
        """Let time pass, for the platform and for us."""
        self.platform.clock.advance(seconds)
        older = timedelta(seconds=seconds)
        parts = [SentPart(s.part, s.platform_ids, s.sent_at - older) for s in recall.parts]
        return Recall(recall.message_id, recall.address, tuple(parts), recall.tombstone)

    def calls(self) -> list[str]:
        return [
            entry["method"]
            for entry in self.platform.log.since(0)
            if not entry["method"].startswith("send")
        ]


@pytest.fixture
async def street(request: pytest.FixtureRequest) -> AsyncIterator[Street]:
    name = getattr(request, "param", "telegram")
    platform: Any = import_module(f"channels.{name}.simulator").Platform()
    channel, shelf = CHANNELS[name], Shelf()
    async with serving(platform.app()) as listener:
        credentials = channel.credentials.model_validate(platform.credentials(listener.base_url))
        allowed = AddressPolicy([f"127.0.0.1:{listener.port}"])
        sender = channel.open(credentials, shelf=shelf, addresses=allowed)
        yield Street(channel, platform, shelf, sender)
        await sender.close()
        await platform.close()


every = pytest.mark.parametrize("street", CAN, indirect=True)


@every
async def test_a_story_leaves_the_phone_and_the_rest_stays(street: Street) -> None:
    person, other = street.platform.person(), street.platform.person()
    over = await street.tell(person, {"colour": "red"}, {"colour": "blue", "button": BUTTON})
    await street.tell(person, {"text": "Un'altra"})
    await street.tell(other, {"text": "A un altro"})

    assert await street.take_back(over) == TakenBack("deleted")
    assert "Un'altra" in str(street.words(person))
    assert len(street.words(person)) == len(street.words(other)) == 1


@every
async def test_what_is_gone_is_deleted_however_often_it_is_asked(street: Street) -> None:
    over = await street.tell(street.platform.person(), {"text": "Ciao"})

    assert [await street.take_back(over) for _ in range(3)] == [TakenBack("deleted")] * 3


@every
async def test_each_call_waits_for_its_turn(street: Street) -> None:
    over = await street.tell(
        street.platform.person(), {"colour": "red"}, {"colour": "blue", "button": BUTTON}
    )
    before = len(street.platform.log.since(0))
    await street.take_back(over)

    assert street.turns == len(street.platform.log.since(0)) - before > 0


@every
@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        ("rate_limited", outcomes.Throttled),
        ("down", outcomes.OutcomeUnknown),
        ("bad_account", outcomes.AccountBroken),
        ("answer_lost", outcomes.OutcomeUnknown),
    ],
)
async def test_a_fault_gets_its_meaning_and_the_next_time_it_works(
    street: Street, fault: str, meaning: type[outcomes.SendError]
) -> None:
    person = street.platform.person()
    over = await street.tell(person, {"text": "Ciao"})
    street.platform.faults.add(Fault(fault, methods=frozenset("*"), left=1))

    with pytest.raises(outcomes.SendError) as caught:
        await street.take_back(over)

    assert type(caught.value) is meaning
    assert await street.take_back(over) == TakenBack("deleted")
    assert street.words(person) == []


async def test_an_album_is_deleted_in_one_call(street: Street) -> None:
    over = await street.tell(street.platform.person(), *({"colour": c} for c in ("red", "blue")))
    await street.take_back(over)

    assert street.calls() == ["deleteMessages"]


async def test_within_48_hours_it_is_deleted_and_after_them_it_says_that_it_is_over(
    street: Street,
) -> None:
    person = street.platform.person()
    young = await street.tell(person, {"text": "Ciao", "button": BUTTON})
    young = street.later(young, 48 * 3_600 - 60)
    assert await street.take_back(young) == TakenBack("deleted")

    old = await street.tell(person, {"text": "Ciao", "button": BUTTON})
    old = street.later(old, 48 * 3_600)
    assert await street.take_back(old) == TakenBack("replaced")
    [shown] = street.platform.phone(person)
    assert (shown["text"], shown["buttons"]) == ("Questa storia è finita.", [])


@pytest.mark.parametrize("form", ["album", "slideshow"])
async def test_an_old_album_says_once_that_it_is_over(street: Street, form: str) -> None:
    person = street.platform.person()
    frames = [
        {"colour": "red", "text": "Alba"},
        {"colour": "green"},
        {"colour": "blue", "text": "Sera"},
    ]
    over = await street.tell(person, *frames, settings={"form": form})
    over = street.later(over, DAYS_3)

    assert await street.take_back(over) == TakenBack("replaced")
    words = ["Questa storia è finita.", "", ""] if form == "album" else ["Questa storia è finita."]
    assert street.words(person) == words
    assert await street.take_back(over) == TakenBack("replaced")
    assert street.words(person) == words


async def test_an_old_album_and_what_stands_below_it_both_say_so(street: Street) -> None:
    person = street.platform.person()
    over = await street.tell(
        person, {"colour": "red"}, {"colour": "blue", "text": "Compra", "button": BUTTON}
    )
    over = street.later(over, DAYS_3)

    assert await street.take_back(over) == TakenBack("replaced")
    assert street.words(person) == ["Questa storia è finita.", "", "Questa storia è finita."]
    assert all(not message["buttons"] for message in street.platform.phone(person))


async def test_an_album_of_unsure_age_is_asked_about_picture_by_picture(street: Street) -> None:
    """`deleteMessages` passes over what is too old, and says nothing of it."""
    person = street.platform.person()
    over = await street.tell(person, {"colour": "red"}, {"colour": "blue"})
    over = street.later(over, 47 * 3_600 + 60)

    assert await street.take_back(over) == TakenBack("deleted")
    assert street.calls() == ["deleteMessage"] * 2


async def test_what_a_person_deleted_of_an_old_story_is_gone_all_the_same(street: Street) -> None:
    person = street.platform.person()
    over = await street.tell(person, {"text": "Ciao"})
    await street.take_back(over)
    over = street.later(over, DAYS_3)

    assert await street.take_back(over) == TakenBack("deleted")


async def test_who_left_the_platform_is_not_reached(street: Street) -> None:
    person = street.platform.person()
    over = await street.tell(person, {"text": "Ciao"})
    over = street.later(over, DAYS_3)
    street.platform.deactivate(person)

    with pytest.raises(outcomes.Unreachable):
        await street.take_back(over)


@pytest.mark.parametrize("street", ["webhook"], indirect=True)
async def test_a_brands_own_system_is_told_once_signed(street: Street) -> None:
    person = street.platform.person()
    over = await street.tell(person, {"text": "Ciao"})
    await street.take_back(over)
    await street.take_back(over)

    told = [
        request
        for request in street.platform.hook("house").requests  # type: ignore[attr-defined]
        if request["body"].get("type") == "ended"
    ]
    assert [(each["verified"], each["repeat"]) for each in told] == [(True, False), (True, True)]
    assert told[0]["body"] == {
        "type": "ended",
        "message_id": str(over.message_id),
        "address": person,
        "parts": list(over.parts[0].platform_ids),
    }


@pytest.mark.parametrize("street", ["webhook"], indirect=True)
async def test_a_brands_own_system_that_does_not_know_the_word_keeps_it(street: Street) -> None:
    over = await street.tell(street.platform.person(), {"text": "Ciao"})
    street.platform.configure("house", secret=None, status=422, retry_after=None)  # type: ignore[attr-defined]

    with pytest.raises(outcomes.BadContent):
        await street.take_back(over)
