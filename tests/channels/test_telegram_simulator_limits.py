"""The simulated Telegram's limits: what is too long, too large, too many, too fast."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from channels.base.simulator import TurnableClock, serving
from channels.telegram.simulator import OWN_BOT, Platform

ACCOUNT = str(OWN_BOT)


class StandingClock(TurnableClock):
    """Moves only when it is turned, so that a slow machine cannot earn a bot more messages."""

    def ticks(self) -> float:
        return 1000.0 + self.turned


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    platform = Platform(clock=StandingClock())
    yield platform
    await platform.close()


@pytest.fixture
def person(platform: Platform) -> str:
    return platform.person()


class Caller:
    """Calls methods as a thin client would: JSON without files, a form with them."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def __call__(self, method: str, **params: Any) -> httpx.Response:
        files = params.pop("files", None)
        if files is None:
            return await self.http.post(method, json=params)
        fields = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
        return await self.http.post(method, data=fields, files=files)

    async def refused(self, method: str, **params: Any) -> str:
        response = await self(method, **params)
        answer = response.json()
        assert (answer["ok"], answer["error_code"]) == (False, response.status_code)
        return f"{response.status_code} {answer['description']}"


@pytest.fixture
async def call(platform: Platform) -> AsyncIterator[Caller]:
    async with serving(platform.app()) as listener:
        given = platform.credentials(listener.base_url)
        base = f"{given['api_base']}/bot{given['token']}/"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
            yield Caller(http)


def picture(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def row(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"inline_keyboard": [list(buttons)]}


TAP = {"text": "a", "callback_data": "x"}
LONG_DATA = {"text": "a", "callback_data": "é" * 33}
SCRIPT = {"text": "a", "url": "javascript:x"}
MANY = {"inline_keyboard": [[TAP]] * 101}
NO_ACTION = "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
HOOK = "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"text": "a" * 4097}, "message is too long"),
        ({"text": "🙂" * 2049}, "message is too long"),
        ({"text": "  \n "}, "message text is empty"),
        ({}, "message text is empty"),
        ({"text": "a", "parse_mode": "BBCode"}, "unsupported parse_mode"),
        ({"text": "a", "reply_markup": row({"text": "a"})}, NO_ACTION),
        ({"text": "a", "reply_markup": row(LONG_DATA)}, "BUTTON_DATA_INVALID"),
        ({"text": "a", "reply_markup": row(SCRIPT)}, "BUTTON_URL_INVALID"),
        ({"text": "a", "reply_markup": row(*[TAP] * 9)}, "reply markup is too long"),
        ({"text": "a", "reply_markup": MANY}, "reply markup is too long"),
        ({"text": "a", "reply_markup": "{broken"}, "can't parse reply keyboard markup JSON object"),
        ({"text": "a", "reply_parameters": {"message_id": 1}}, "message to be replied not found"),
    ],
)  # fmt: skip
async def test_what_a_message_may_not_be(
    call: Caller, person: str, params: dict[str, Any], refusal: str
) -> None:
    assert (
        await call.refused("sendMessage", chat_id=person, **params) == f"400 Bad Request: {refusal}"
    )


async def test_the_longest_text_counts_units_after_parsing(call: Caller, person: str) -> None:
    text = "<b>" + "🙂" * 2048 + "</b>"

    response = await call("sendMessage", chat_id=person, text=text, parse_mode="HTML")

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (picture(9990, 20), "PHOTO_INVALID_DIMENSIONS"),
        (picture(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (b"no picture", "IMAGE_PROCESS_FAILED"),
        (b"\xff" * (10 * 1024 * 1024 + 1), "file is too big"),
        (b"", "file must be non-empty"),
    ],
)
async def test_what_a_photo_may_not_be(
    call: Caller, person: str, data: bytes, refusal: str
) -> None:
    answer = await call.refused("sendPhoto", chat_id=person, files={"photo": ("a.png", data)})

    assert answer == f"400 Bad Request: {refusal}"


async def test_a_file_over_fifty_megabytes_is_413(call: Caller, person: str) -> None:
    data = bytes(50 * 1024 * 1024 + 1)

    answer = await call.refused("sendDocument", chat_id=person, files={"document": ("a", data)})

    assert answer == "413 Request Entity Too Large"


async def test_a_caption_has_1024_units(call: Caller, person: str) -> None:
    file = {"photo": ("a.png", picture(10, 10))}

    fits = await call("sendPhoto", chat_id=person, caption="a" * 1024, files=file)
    answer = await call.refused("sendPhoto", chat_id=person, caption="a" * 1025, files=file)

    assert fits.status_code == 200
    assert answer == "400 Bad Request: message caption is too long"


async def test_a_file_id_is_one_bots_and_one_kinds(
    call: Caller, platform: Platform, person: str
) -> None:
    sent = await call("sendPhoto", chat_id=person, files={"photo": ("a.png", picture(9, 9))})
    file_id = sent.json()["result"]["photo"][-1]["file_id"]
    platform.make_people("43", address=person)
    other = str(call.http.base_url).replace(ACCOUNT, "43", 1)

    foreign = await call.http.post(f"{other}sendPhoto", json={"chat_id": person, "photo": file_id})
    video = await call.refused("sendVideo", chat_id=person, video=file_id)

    assert foreign.json()["description"] == (
        "Bad Request: wrong file identifier/HTTP URL specified"
    )
    assert video == "400 Bad Request: can't use file of type Photo as Video"


@pytest.mark.parametrize("count", [1, 11])
async def test_an_album_has_two_to_ten_items(call: Caller, person: str, count: int) -> None:
    media = [{"type": "photo", "media": "x"}] * count

    answer = await call.refused("sendMediaGroup", chat_id=person, media=media)

    assert answer == "400 Bad Request: group of media must include 2-10 items"


async def test_an_album_has_no_keyboard(call: Caller, platform: Platform, person: str) -> None:
    media = [{"type": "photo", "media": f"attach://{name}"} for name in "ab"]
    files = {name: (name, picture(9 + ord(name), 9)) for name in "ab"}

    response = await call(
        "sendMediaGroup", chat_id=person, media=media, files=files, reply_markup=row(TAP)
    )

    assert response.status_code == 200
    assert all(not message["buttons"] for message in platform.phone(person))


async def test_a_burst_to_one_person_then_429(
    call: Caller, platform: Platform, person: str
) -> None:
    statuses = [(await call("sendMessage", chat_id=person, text="x")).status_code for _ in range(6)]
    refused = await call("sendMessage", chat_id=person, text="x")

    assert statuses == [200] * 5 + [429]
    assert refused.json()["parameters"] == {"retry_after": 1}
    assert refused.headers["retry-after"] == "1"
    platform.clock.advance(1.01)
    assert (await call("sendMessage", chat_id=person, text="x")).status_code == 200


async def test_thirty_a_second_for_the_whole_bot(call: Caller, platform: Platform) -> None:
    people = [platform.person() for _ in range(40)]

    answers = [await call("sendMessage", chat_id=person, text="x") for person in people]

    statuses = [answer.status_code for answer in answers]
    assert statuses[:30] == [200] * 30
    assert statuses[-1] == 429
    # Who was told to wait is refused until the wait is over, though there would be room again.
    platform.clock.advance(0.5)
    assert (await call("sendMessage", chat_id=people[0], text="x")).status_code == 429
    platform.clock.advance(0.51)
    assert (await call("sendMessage", chat_id=people[0], text="x")).status_code == 200


async def test_asking_again_does_not_make_the_wait_longer(
    call: Caller, platform: Platform, person: str
) -> None:
    for _ in range(6):
        last = await call("sendMessage", chat_id=person, text="x")
    platform.clock.advance(0.6)
    again = await call("sendMessage", chat_id=person, text="x")
    platform.clock.advance(0.41)
    taken = await call("sendMessage", chat_id=person, text="x")

    assert [answer.status_code for answer in (last, again, taken)] == [429, 429, 200]


async def test_a_group_takes_twenty_a_minute(call: Caller, platform: Platform) -> None:
    (group,) = platform.make_people(ACCOUNT, address="-100200300")

    statuses = [(await call("sendMessage", chat_id=group, text="x")).status_code for _ in range(21)]
    refused = await call("sendMessage", chat_id=group, text="x")

    assert statuses == [200] * 20 + [429]
    assert refused.json()["parameters"]["retry_after"] == 3


async def test_limits_can_be_set(call: Caller, platform: Platform, person: str) -> None:
    platform.set_limits(ACCOUNT, {"chat_per_second": 0, "per_second": 0})

    statuses = {
        (await call("sendMessage", chat_id=person, text="x")).status_code for _ in range(60)
    }

    assert statuses == {200}


async def test_uploads_of_one_size_are_spaced_when_asked(
    call: Caller, platform: Platform, person: str
) -> None:
    platform.set_limits(ACCOUNT, {"chat_per_second": 0, "upload_spacing": True})
    files = {"document": ("a", bytes(100_001))}

    for _ in range(11):
        assert (await call("sendDocument", chat_id=person, files=files)).status_code == 200
    answer = await call.refused("sendDocument", chat_id=person, files=files)

    assert answer == "429 Too Many Requests: retry after 60"


async def test_set_webhook_once_a_second(call: Caller) -> None:
    first = await call("setWebhook", url="http://127.0.0.1:9/")
    second = await call.refused("setWebhook", url="http://127.0.0.1:9/")

    assert first.json() == {"ok": True, "result": True}
    assert second == "429 Too Many Requests: retry after 1"


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"url": "ftp://x.it/"}, "bad webhook: invalid webhook URL specified"),
        ({"url": HOOK, "secret_token": "ä"}, "secret token contains unallowed characters"),
        ({"url": HOOK, "allowed_updates": "x"}, "can't parse allowed updates JSON object"),
    ],
)  # fmt: skip
async def test_what_a_webhook_may_not_be(
    call: Caller, params: dict[str, Any], refusal: str
) -> None:
    assert await call.refused("setWebhook", **params) == f"400 Bad Request: {refusal}"


async def test_https_only_when_asked(call: Caller, platform: Platform) -> None:
    platform.set_limits(ACCOUNT, {"https_only": True})

    answer = await call.refused("setWebhook", url="http://127.0.0.1/")

    assert answer == "400 Bad Request: bad webhook: HTTPS URL must be provided for webhook"


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [{"type": "slideshow", "blocks": [{"type": "paragraph", "text": "x"}]}],
        [{"type": "paragraph", "text": "a" * 32_769}],
        [{"type": "divider"}] * 501,
        [{"type": "nothing"}],
        [{"type": "buttons", "buttons": [TAP] * 9}],
    ],
)
async def test_what_a_rich_message_may_not_be(call: Caller, person: str, blocks: list[Any]) -> None:
    rich = {"blocks": blocks}

    answer = await call.refused("sendRichMessage", chat_id=person, rich_message=rich)

    assert answer.startswith("400 Bad Request: ")


async def test_a_slideshow_in_html(call: Caller, platform: Platform, person: str) -> None:
    sent = await call("sendPhoto", chat_id=person, files={"photo": ("a.png", picture(9, 9))})
    file_id = sent.json()["result"]["photo"][-1]["file_id"]
    slides = '<tg-slideshow><img src="tg://photo?id=a"/></tg-slideshow>'
    html = f"<h2>Autunno</h2>{slides}<p>Ciao <b>tu</b></p>"
    media = [{"id": "a", "media": {"type": "photo", "media": file_id}}]

    await call("sendRichMessage", chat_id=person, rich_message={"html": html, "media": media})

    (_, shown) = platform.phone(person)
    assert [block["type"] for block in shown["blocks"]] == ["heading", "slideshow", "paragraph"]
    assert shown["text"] == "Autunno\nCiao tu"


@pytest.mark.parametrize("method", ["sendMessage", "SENDMESSAGE", "sendmessage"])
async def test_the_same_call_in_every_dress(
    call: Caller, platform: Platform, person: str, method: str
) -> None:
    markup = json.dumps(row(TAP))
    platform.set_limits(None, {"chat_per_second": 0})

    await call.http.get(method, params={"chat_id": person, "text": "hi", "reply_markup": markup})
    await call.http.post(method, data={"chat_id": person, "text": "hi", "reply_markup": markup})
    await call.http.post(
        method, json={"chat_id": int(person), "text": "hi", "reply_markup": row(TAP)}
    )
    await call(method, chat_id=person, text="hi", reply_markup=markup, files={"x": ("x", b"")})

    log = platform.log.since(0)
    assert [entry["outcome"] for entry in log] == ["taken"] * 4
    assert {entry["address"] for entry in log} == {person}
    assert len({entry["digest"] for entry in log[:3]}) == 1
    assert len(platform.phone(person)) == 4
