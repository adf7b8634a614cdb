"""Posting to a brand's own system: signed, under one id, and a meaning for each answer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from channels.base import outcomes
from channels.base.channel import Delivery
from channels.base.simulator.listening import serving
from channels.webhook.answers import refusal
from channels.webhook.credentials import Credentials
from channels.webhook.outbound import WebhookSender, open_sender
from channels.webhook.render import text
from channels.webhook.simulator import OWN_HOOK, Platform
from shared import clock
from shared.ids import new_id
from shared.security.addresses import AddressPolicy
from tests.channels.shelf import Shelf

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
async def sender(platform: Platform) -> AsyncIterator[WebhookSender]:
    async with serving(platform.app()) as listener:
        opened = open_sender(
            Credentials.model_validate(platform.credentials(listener.base_url)),
            shelf=Shelf(),
            addresses=AddressPolicy([f"127.0.0.1:{listener.port}"]),
        )
        yield opened
        await opened.close()
        await platform.close()


def deliver(address: str) -> Delivery:
    return Delivery(
        attempt_id=new_id(),
        message_id=new_id(),
        part_number=0,
        address=address,
        part=text("Ciao è qui", {}),
        start_before=clock.ticks() + 5,
    )


def posted(platform: Platform) -> list[dict[str, Any]]:
    return list(platform.hook(OWN_HOOK).requests)


async def test_the_specification_library_believes_what_we_post(
    sender: WebhookSender, platform: Platform
) -> None:
    delivery = deliver("cliente-4711")

    sent = await sender.send(delivery)

    (request,) = posted(platform)
    secret = platform.credentials("http://x")["secret"]
    message_id = str(delivery.message_id)
    body = orjson.dumps(
        {**delivery.part.params, "message_id": message_id, "part": 0, "address": "cliente-4711"}
    )
    assert Webhook(secret).verify(body, request["headers"]) == request["body"]
    assert sent.platform_ids == (request["webhook_id"],)


async def test_a_repeat_is_recognised_and_shown_once(
    sender: WebhookSender, platform: Platform
) -> None:
    delivery = deliver("cliente-4711")
    platform.fail_next("answer_lost")
    with pytest.raises(outcomes.OutcomeUnknown):
        await sender.send(delivery)

    await sender.send(delivery)

    assert [request["repeat"] for request in posted(platform)] == [False, True]
    assert len(platform.phone("cliente-4711")) == 1


async def test_connecting_hands_over_where_to_post_and_what_to_sign_with(
    sender: WebhookSender, platform: Platform
) -> None:
    connected = await sender.connect("https://permesso.example/webhooks/webhook/1", "gateways-own")

    assert connected.name.startswith("127.0.0.1:")
    hook = platform.hook(OWN_HOOK)
    assert hook.inbound_url == "https://permesso.example/webhooks/webhook/1"
    assert hook.inbound_key == b"gateways-own"


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        ("down", outcomes.TryAgain),
        ("answer_lost", outcomes.TryAgain),
        ("bad_account", outcomes.AccountBroken),
    ],
)
async def test_connecting_that_fails_can_be_repeated(
    sender: WebhookSender, platform: Platform, fault: str, meaning: type[outcomes.SendError]
) -> None:
    platform.fail_next(fault)

    with pytest.raises(meaning):
        await sender.connect("https://permesso.example/webhooks/webhook/1", "gateways-own")

    assert (await sender.connect("https://permesso.example/", "s")).name


@pytest.mark.parametrize(
    ("status", "body", "meaning", "code"),
    [
        (400, b"", outcomes.Refused, "refused"),
        (401, b"", outcomes.AccountBroken, "not_authorised"),
        (403, b"", outcomes.AccountBroken, "not_authorised"),
        (403, b'{"code":"opted_out"}', outcomes.OptedOut, "opted_out"),
        (404, b"", outcomes.AccountBroken, "not_found"),
        (404, b'{"code":"unreachable"}', outcomes.Unreachable, "unreachable"),
        (404, b'{"code":"moved","address":" b "}', outcomes.Moved, "moved"),
        (404, b'{"code":"moved","address":""}', outcomes.Unreachable, "moved"),
        (404, b'{"code":"moved"}', outcomes.AccountBroken, "not_found"),
        (405, b"", outcomes.AccountBroken, "method_not_allowed"),
        (408, b"", outcomes.TryAgain, "request_timeout"),
        (410, b"", outcomes.AccountBroken, "gone"),
        (413, b"", outcomes.BadContent, "too_large"),
        (415, b"", outcomes.BadContent, "not_understood"),
        (422, b"", outcomes.BadContent, "not_understood"),
        (422, b'{"code":"bad_content"}', outcomes.BadContent, "bad_content"),
        (400, b'{"code":{"a":1}}', outcomes.Refused, "refused"),
        (400, b"[1]", outcomes.Refused, "refused"),
        (400, b"\xff", outcomes.Refused, "refused"),
        (425, b"", outcomes.TryAgain, "too_early"),
        (429, b"", outcomes.Throttled, "rate_limited"),
        (500, b"", outcomes.OutcomeUnknown, "platform_error"),
        (503, b"", outcomes.OutcomeUnknown, "platform_error"),
        (503, b'{"code":"opted_out"}', outcomes.OutcomeUnknown, "platform_error"),
        (301, b"", outcomes.AccountBroken, "redirected"),
        (308, b"", outcomes.AccountBroken, "redirected"),
    ],
)
def test_an_answer_has_its_meaning(
    status: int, body: bytes, meaning: type[outcomes.SendError], code: str
) -> None:
    found = refusal(status, {}, body, now=NOW)

    assert type(found) is meaning
    assert found.code == code


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("11", 11),
        ("0", 5),
        ("99999999999999", 86_400),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 5),
        ("soon", 5),
        ("-3", 5),
    ],
)
def test_a_throttle_says_how_long_to_wait(header: str, seconds: int) -> None:
    found = refusal(429, {"retry-after": header}, b"", now=NOW)

    assert isinstance(found, outcomes.Throttled)
    assert found.after == timedelta(seconds=seconds)


def test_busy_with_a_time_is_a_throttle() -> None:
    found = refusal(503, {"retry-after": "20"}, b"", now=NOW)

    assert isinstance(found, outcomes.Throttled)
    assert found.after == timedelta(seconds=20)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example/",
        "https://",
        "https://u:p@x.example/",
        "https://x.example/#f",
        "https://x.example/a b",
        "https://x.example:99999/",
        "https://[::1/",
        "not a url at all",
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Credentials(url=url)


def test_a_secret_left_out_is_made() -> None:
    one, two = Credentials(url="https://x.example/"), Credentials(url="https://x.example/")

    assert len(one.key) == 32
    assert one.key != two.key
