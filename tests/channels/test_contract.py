"""What every channel promises, asked of each of them against its own simulated platform."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
import structlog

from channels.base import outcomes
from channels.base.channel import Channel, Delivery, Sender
from channels.base.simulator.listening import Listener, serving
from channels.base.simulator.platform import Simulator
from channels.base.webhook import SignatureMismatch, WebhookRequest
from channels.registry import CHANNELS
from shared import clock
from shared.contracts.stories import Choice, Frame, Part, RenderedStory
from shared.ids import new_id
from shared.security.addresses import AddressPolicy
from tests.channels.shelf import Shelf, photo_facts, picture


@dataclass
class House:
    """A channel opened on its simulated platform."""

    channel: Channel
    platform: Simulator
    listener: Listener
    shelf: Shelf
    sender: Sender
    credentials: dict[str, str]

    def delivery(self, address: str, part: Part, *, seconds: float = 5.0) -> Delivery:
        return Delivery(
            attempt_id=new_id(),
            message_id=new_id(),
            part_number=0,
            address=address,
            part=part,
            start_before=clock.ticks() + seconds,
        )

    async def say(self, text: str = "Buongiorno", *, address: str | None = None) -> outcomes.Sent:
        part = self.channel.text(text, {})
        return await self.sender.send(self.delivery(address or self.platform.person(), part))

    def calls(self) -> list[str]:
        """What the platform did with each call it received."""
        return [entry["outcome"] for entry in self.platform.log.since(0)]


@pytest.fixture(params=CHANNELS)
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    platform: Any = import_module(f"channels.{request.param}.simulator").Platform()
    channel, shelf = CHANNELS[request.param], Shelf()
    async with serving(platform.app()) as listener:
        credentials = platform.credentials(listener.base_url)
        sender = channel.open(
            channel.credentials.model_validate(credentials),
            shelf=shelf,
            addresses=AddressPolicy([f"127.0.0.1:{listener.port}"]),
        )
        yield House(channel, platform, listener, shelf, sender, credentials)
        await sender.close()
        await platform.close()


async def test_a_text_reaches_the_phone(house: House) -> None:
    person = house.platform.person()

    sent = await house.say("Il caffè è pronto ☕️", address=person)

    assert [message["text"] for message in house.platform.phone(person)] == ["Il caffè è pronto ☕️"]
    assert sent.platform_ids
    assert all(sent.platform_ids)


async def test_a_channel_that_asks_shows_the_answers(house: House) -> None:
    person = house.platform.person()
    answers = (Choice(label="Sì", data="a"), Choice(label="No", data="b"))

    await house.sender.send(house.delivery(person, house.channel.text("Permesso?", {}, answers)))

    rows = [row for message in house.platform.phone(person) for row in message.get("buttons", ())]
    shown = [(button["text"], button.get("data")) for row in rows for button in row]
    assert not house.channel.capabilities.asks or shown == [("Sì", "a"), ("No", "b")]


async def test_a_story_reaches_the_phone_part_by_part(house: House) -> None:
    person, media = house.platform.person(), [house.shelf.put(picture(c)) for c in ("red", "blue")]
    frames = [
        Frame(media_id=media[0], text="One"),
        Frame(media_id=media[1]),
        Frame(text="Two", button={"label": "Shop", "url": "https://shop.example/"}),
    ]
    story = RenderedStory(
        title="t", language="en", frames=tuple(frames), media={m: photo_facts(m) for m in media}
    )

    rendering = house.channel.render(story, {})
    for part in rendering.parts:
        await house.sender.send(house.delivery(person, part))

    shown = str(house.platform.phone(person))
    assert "One" in shown
    assert "Two" in shown
    assert "https://shop.example/" in shown
    assert [finding for finding in rendering.findings if finding.level == "error"] == []


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        ("rate_limited", outcomes.Throttled),
        ("down", outcomes.OutcomeUnknown),
        ("blocked", outcomes.OptedOut),
        ("gone", outcomes.Unreachable),
        ("bad_content", outcomes.BadContent),
        ("bad_account", outcomes.AccountBroken),
        ("answer_lost", outcomes.OutcomeUnknown),
    ],
)
async def test_a_fault_gets_its_meaning(
    house: House, fault: str, meaning: type[outcomes.SendError]
) -> None:
    house.platform.fail_next(fault)

    with pytest.raises(outcomes.SendError) as caught:
        await house.say()

    assert type(caught.value) is meaning
    assert caught.value.code


async def test_a_rate_limit_says_how_long_to_wait(house: House) -> None:
    house.platform.fail_next("rate_limited", retry_after=11)

    with pytest.raises(outcomes.Throttled) as caught:
        await house.say()

    assert caught.value.after == timedelta(seconds=11)


async def test_after_a_fault_the_same_sender_goes_on(house: House) -> None:
    house.platform.fail_next("answer_lost")
    with pytest.raises(outcomes.OutcomeUnknown):
        await house.say()

    assert (await house.say()).platform_ids


async def test_a_lost_answer_means_that_the_person_may_have_it(house: House) -> None:
    person = house.platform.person()
    house.platform.fail_next("answer_lost")

    with pytest.raises(outcomes.OutcomeUnknown):
        await house.say("Una volta", address=person)

    assert [message["text"] for message in house.platform.phone(person)] == ["Una volta"]


async def test_an_answer_that_does_not_come_is_unknown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module(house.channel.outbound), "ANSWER_WITHIN", 0.2)
    hasty = house.channel.open(
        house.channel.credentials.model_validate(house.credentials),
        shelf=house.shelf,
        addresses=AddressPolicy([f"127.0.0.1:{house.listener.port}"]),
    )
    part, person = house.channel.text("Piano", {}), house.platform.person()

    async with house.platform.holding():
        with pytest.raises(outcomes.OutcomeUnknown):
            await hasty.send(house.delivery(person, part))

    await hasty.close()


async def test_a_refused_connection_is_tried_again(house: House) -> None:
    await house.listener.close()

    with pytest.raises(outcomes.TryAgain) as caught:
        await house.say()

    assert not isinstance(caught.value, outcomes.Throttled | outcomes.TooLate)
    assert house.calls() == []


async def test_nothing_leaves_after_the_deadline(house: House) -> None:
    person, part = house.platform.person(), house.channel.text("Tardi", {})

    with pytest.raises(outcomes.TooLate):
        await house.sender.send(house.delivery(person, part, seconds=-0.001))

    assert house.calls() == []
    assert house.platform.phone(person) == []


async def test_nothing_leaves_when_a_warm_connection_meets_a_passed_deadline(house: House) -> None:
    person, part = house.platform.person(), house.channel.text("Tardi", {})
    await house.say("In tempo", address=person)

    with pytest.raises(outcomes.TooLate):
        await house.sender.send(house.delivery(person, part, seconds=-0.001))

    assert house.calls() == ["taken"]


async def test_an_address_that_the_operator_did_not_allow_is_not_called(house: House) -> None:
    sender = house.channel.open(
        house.channel.credentials.model_validate(house.credentials),
        shelf=house.shelf,
        addresses=AddressPolicy(),
    )
    part = house.channel.text("Ciao", {})

    with pytest.raises(outcomes.AccountBroken):
        await sender.send(house.delivery(house.platform.person(), part))

    await sender.close()
    assert house.calls() == []


async def test_a_picture_sent_to_many_is_uploaded_once(house: House) -> None:
    media_id = house.shelf.put(picture("green"))
    story = RenderedStory(
        title="t",
        language="en",
        frames=(Frame(media_id=media_id, text="Look"),),
        media={media_id: photo_facts(media_id)},
    )
    (part,) = house.channel.render(story, {}).parts
    people = [house.platform.person() for _ in range(5)]

    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(house.sender.send(house.delivery(person, part)))

    assert len(house.shelf.read) == (1 if part.media else 0)
    assert house.shelf.uploading == {}
    assert all(len(house.platform.phone(person)) == 1 for person in people)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-telegram-bot-api-secret-token": "guess"},
        {"x-telegram-bot-api-secret-token": "\udcff\u00e9"},
        {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
        {"x-hub-signature-256": "sha256=00"},
    ],
)
@pytest.mark.parametrize("secret", ["right", ""])
async def test_a_forged_webhook_is_refused(
    house: House, headers: dict[str, str], secret: str
) -> None:
    request = WebhookRequest(body=b'{"update_id": 1}', headers=headers)

    with pytest.raises(SignatureMismatch):
        house.channel.verify(request, secret)


@pytest.mark.parametrize(
    "fault", [None, "rate_limited", "down", "blocked", "bad_account", "answer_lost"]
)
async def test_credentials_appear_in_no_log_and_no_exception(
    house: House, fault: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    told = ""
    caplog.set_level(logging.DEBUG)
    if fault:
        house.platform.fail_next(fault)

    with structlog.testing.capture_logs() as logs:
        try:
            await house.say()
        except outcomes.SendError as error:
            told = "".join(traceback.format_exception(error))
    ours = [record.getMessage() for record in caplog.records if "uvicorn" not in record.name]
    told += repr(house.sender) + str(logs) + str(ours)

    assert bool(fault) == ("Traceback" in told)
    for name, secret in house.credentials.items():
        if name in ("token", "secret"):
            assert secret not in told


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 5_000, b'{"update_id": 1e400}']
)
async def test_a_body_nobody_understands_is_stamped_and_kept(house: House, body: bytes) -> None:
    request = WebhookRequest(body=body)

    stamp = house.channel.stamp(request)

    assert stamp == house.channel.stamp(WebhookRequest(body=body))
    assert stamp.dedupe
    assert stamp.person
    assert [event.type for event in house.channel.parse(request)] == ["unknown"]


async def test_the_form_of_the_credentials_hides_what_is_secret(house: House) -> None:
    schema = house.channel.credentials.model_json_schema()
    shown = repr(house.channel.credentials.model_validate(house.credentials))

    fields = schema["properties"]
    assert all(fields[name].get("title") for name in fields)
    for name in {"token", "secret"} & house.credentials.keys():
        assert fields[name]["format"] == "password"
        assert house.credentials[name] not in shown


async def test_a_wrong_credential_is_not_repeated_in_the_error(house: House) -> None:
    wrong = dict.fromkeys(house.credentials, "hunter2 not a credential")

    with pytest.raises(ValueError, match="validation error") as caught:
        house.channel.credentials.model_validate(wrong)

    assert "hunter2" not in str(caught.value)
