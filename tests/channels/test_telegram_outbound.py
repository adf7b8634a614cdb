"""Sending through Telegram: media by id, uploads once, webhooks set."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from channels.base import outcomes
from channels.base.channel import Delivery, MediaFile
from channels.base.simulator.listening import Listener, serving
from channels.telegram.credentials import Credentials
from channels.telegram.outbound import UPDATES, TelegramSender, open_sender
from channels.telegram.render import render
from channels.telegram.simulator import OWN_BOT, OWN_TOKEN, Platform
from shared import clock
from shared.contracts.stories import Frame, Part, RenderedStory
from shared.ids import new_id
from shared.security.addresses import AddressPolicy
from tests.channels.shelf import Shelf, photo_facts, picture


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    simulated = Platform()
    yield simulated
    await simulated.close()


@pytest.fixture
async def listener(platform: Platform) -> AsyncIterator[Listener]:
    async with serving(platform.app()) as served:
        yield served


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def sender(
    platform: Platform, listener: Listener, shelf: Shelf
) -> AsyncIterator[TelegramSender]:
    opened = open_sender(
        Credentials.model_validate(platform.credentials(listener.base_url)),
        shelf=shelf,
        addresses=AddressPolicy([f"127.0.0.1:{listener.port}"]),
    )
    yield opened
    await opened.close()


def deliver(address: str, part: Part, *, seconds: float = 5.0) -> Delivery:
    return Delivery(
        attempt_id=new_id(),
        message_id=new_id(),
        part_number=0,
        address=address,
        part=part,
        start_before=clock.ticks() + seconds,
    )


def pictures(*media: UUID, form: str = "album", words: str = "") -> Part:
    frames = tuple(Frame(media_id=each, text=f"{words}{n}") for n, each in enumerate(media))
    story = RenderedStory(
        title="t", language="it", frames=frames, media={m: photo_facts(m) for m in media}
    )
    (part,) = render(story, {"form": form}).parts
    return part


@pytest.mark.parametrize("form", ["album", "slideshow"])
async def test_each_picture_is_uploaded_once_and_then_known(
    sender: TelegramSender, platform: Platform, shelf: Shelf, form: str
) -> None:
    media = [shelf.put(picture(colour)) for colour in ("red", "green", "blue")]
    part = pictures(*media, form=form)

    first = await sender.send(deliver(platform.person(), part))
    second = await sender.send(deliver(platform.person(), part))

    assert len(first.platform_ids) == len(second.platform_ids) == (3 if form == "album" else 1)
    assert sorted(shelf.read) == sorted(media)
    assert len(set(shelf.references.values())) == 3
    assert shelf.uploading == {}


async def test_a_picture_known_from_an_album_serves_alone(
    sender: TelegramSender, platform: Platform, shelf: Shelf
) -> None:
    """The kept ids are each picture's own: a mix-up would show the wrong picture."""
    person, media = platform.person(), [shelf.put(picture(c)) for c in ("red", "blue")]
    await sender.send(deliver(person, pictures(*media)))

    await sender.send(deliver(person, pictures(media[1])))

    *_, last_of_album, alone = platform.phone(person)
    assert alone["media"][0]["url"] == last_of_album["media"][0]["url"]
    assert alone["media"][0]["url"] != platform.phone(person)[0]["media"][0]["url"]


async def test_albums_with_the_same_pictures_do_not_wait_for_each_other_for_ever(
    sender: TelegramSender, platform: Platform, shelf: Shelf
) -> None:
    one, two = (shelf.put(picture(colour)) for colour in ("red", "blue"))
    parts = [pictures(one, two), pictures(two, one)] * 5

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(sender.send(deliver(platform.person(), part)))

    assert sorted(shelf.read) == sorted([one, two])


async def test_the_same_picture_twice_in_an_album_is_sent(
    sender: TelegramSender, platform: Platform, shelf: Shelf
) -> None:
    one = shelf.put(picture("red"))

    async with asyncio.timeout(5):
        sent = await sender.send(deliver(platform.person(), pictures(one, one)))

    assert len(sent.platform_ids) == 2
    assert shelf.read == [one]


async def test_an_unknown_file_id_is_forgotten_and_the_same_try_goes_on_with_the_bytes(
    sender: TelegramSender, platform: Platform, shelf: Shelf
) -> None:
    one, two = (shelf.put(picture(colour)) for colour in ("red", "blue"))
    shelf.references = {one: "AgACAgIAAxkBAAIBfromanotherbot"}
    part, person = pictures(one, two), platform.person()

    sent = await sender.send(deliver(person, part))

    assert len(sent.platform_ids) == 2
    assert set(shelf.references) == {one, two}
    assert "fromanotherbot" not in str(shelf.references)
    assert len(platform.phone(person)) == 2


async def test_many_whose_file_id_is_unknown_upload_it_once(
    sender: TelegramSender, platform: Platform, shelf: Shelf
) -> None:
    one = shelf.put(picture("red"))
    shelf.references = {one: "AgACAgIAAxkBAAIBfromanotherbot"}
    people = [platform.person() for _ in range(12)]

    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(sender.send(deliver(person, pictures(one))))

    assert shelf.read == [one]
    assert all(len(platform.phone(person)) == 1 for person in people)


class StubbornShelf(Shelf):
    """A shelf whose every reference belongs to another bot."""

    async def reference(self, media_id: UUID) -> str | None:
        return f"AgACAgIAAxkBAAIBfromanotherbot{len(self.read)}"


async def test_a_file_id_that_is_unknown_again_and_again_does_not_turn_in_a_circle(
    platform: Platform, listener: Listener
) -> None:
    shelf = StubbornShelf()
    one = shelf.put(picture("red"))
    opened = open_sender(
        Credentials.model_validate(platform.credentials(listener.base_url)),
        shelf=shelf,
        addresses=AddressPolicy([f"127.0.0.1:{listener.port}"]),
    )

    with pytest.raises(outcomes.TryAgain) as caught:
        await opened.send(deliver(platform.person(), pictures(one)))

    await opened.close()
    assert caught.value.code == "reference_forgotten"
    assert len(platform.log.since(0)) == 2


@pytest.mark.parametrize("fault", ["down", "rate_limited", "answer_lost", "bad_content"])
async def test_a_failed_upload_lets_somebody_else_upload(
    sender: TelegramSender, platform: Platform, shelf: Shelf, fault: str
) -> None:
    one = shelf.put(picture("red"))
    platform.fail_next(fault)
    with pytest.raises(outcomes.SendError):
        await sender.send(deliver(platform.person(), pictures(one)))

    async with asyncio.timeout(5):
        await sender.send(deliver(platform.person(), pictures(one)))

    assert shelf.read == [one, one]
    assert shelf.uploading == {}


async def test_a_cancelled_upload_lets_somebody_else_upload(
    sender: TelegramSender, platform: Platform, shelf: Shelf
) -> None:
    one = shelf.put(picture("red"))
    async with platform.holding() as arrived:
        task = asyncio.create_task(sender.send(deliver(platform.person(), pictures(one))))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert shelf.uploading == {}
    assert shelf.references == {}


async def test_who_waits_for_an_upload_waits_until_the_deadline(
    sender: TelegramSender, platform: Platform, shelf: Shelf
) -> None:
    one = shelf.put(picture("red"))
    assert await shelf.reference(one) is None

    with pytest.raises(outcomes.TooLate):
        await sender.send(deliver(platform.person(), pictures(one), seconds=0.05))

    assert one in shelf.uploading
    assert platform.log.since(0) == []


class SlowShelf(Shelf):
    """A shelf whose bytes come only after the deadline."""

    async def file(self, media_id: UUID) -> MediaFile:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")


async def test_bytes_that_come_too_late_are_given_up(
    platform: Platform, listener: Listener
) -> None:
    shelf = SlowShelf()
    one = shelf.put(picture("red"))
    slow = open_sender(
        Credentials.model_validate(platform.credentials(listener.base_url)),
        shelf=shelf,
        addresses=AddressPolicy([f"127.0.0.1:{listener.port}"]),
    )

    with pytest.raises(outcomes.TooLate):
        await slow.send(deliver(platform.person(), pictures(one), seconds=0.05))

    await slow.close()
    assert shelf.uploading == {}
    assert platform.log.since(0) == []


class LeapingShelf(Shelf):
    """A shelf that hands out bytes just as the host wakes from a long sleep."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._monkeypatch = monkeypatch

    async def file(self, media_id: UUID) -> MediaFile:
        later = clock.ticks() + 3_600
        self._monkeypatch.setattr(clock, "ticks", lambda: later)
        return await super().file(media_id)


async def test_no_upload_begins_after_the_deadline(
    platform: Platform, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = LeapingShelf(monkeypatch)
    delivery = deliver(platform.person(), pictures(shelf.put(picture("red"))))
    woken = open_sender(
        Credentials.model_validate(platform.credentials(listener.base_url)),
        shelf=shelf,
        addresses=AddressPolicy([f"127.0.0.1:{listener.port}"]),
    )

    with pytest.raises(outcomes.TooLate) as caught:
        await woken.send(delivery)

    await woken.close()
    assert caught.value.code == "started_too_late"
    assert platform.log.since(0) == []


async def test_connecting_names_the_bot_and_sets_the_webhook(
    sender: TelegramSender, platform: Platform
) -> None:
    connected = await sender.connect("https://hooks.example.com/webhooks/telegram/1", "s3cret")

    assert connected.platform_id == str(OWN_BOT)
    assert connected.name
    called = [entry["method"] for entry in platform.log.since(0)]
    assert called == ["getMe", "setWebhook", "getWebhookInfo"]
    webhook = platform.bot(OWN_BOT).webhook
    assert webhook is not None
    assert webhook.url == "https://hooks.example.com/webhooks/telegram/1"
    assert platform.bot(OWN_BOT).allowed_updates == UPDATES


async def test_connecting_with_a_revoked_token_breaks_the_account(
    sender: TelegramSender, platform: Platform
) -> None:
    platform.fail_next("bad_account")

    with pytest.raises(outcomes.AccountBroken) as caught:
        await sender.connect("https://hooks.example.com/", "s3cret")

    assert caught.value.code == "token_revoked"
    assert OWN_TOKEN not in str(caught.value)


async def test_a_webhook_that_telegram_refuses_breaks_the_account(sender: TelegramSender) -> None:
    with pytest.raises(outcomes.AccountBroken) as caught:
        await sender.connect("ftp://hooks.example.com/", "s3cret")

    assert caught.value.code == "webhook_refused"


async def test_a_tap_is_acknowledged_or_nothing_happens(
    sender: TelegramSender, platform: Platform, listener: Listener
) -> None:
    await sender.acknowledge("unknown")
    await listener.close()
    await sender.acknowledge("unknown")

    assert [entry["method"] for entry in platform.log.since(0)] == ["answerCallbackQuery"]
