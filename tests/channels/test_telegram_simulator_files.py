"""The simulated Telegram looks into files, fetches them by URL, and knows them again."""

import io
import struct
from collections.abc import AsyncIterator

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from channels.base.simulator import Listener, serving
from channels.telegram.simulator import Platform
from channels.telegram.simulator.files import Blobs
from channels.telegram.simulator.video import VideoFacts, video_facts


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, kind) + content


def film(width: int, height: int, seconds: int) -> bytes:
    header = box(b"mvhd", bytes(12) + struct.pack(">II", 1000, seconds * 1000) + bytes(80))
    track = box(b"tkhd", bytes(76) + struct.pack(">II", width << 16, height << 16))
    return box(b"ftyp", b"isom") + box(b"moov", header + box(b"trak", track))


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (900, 1600), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


async def _picture(request: Request) -> Response:
    return Response(picture(), media_type="image/jpeg")


async def _page(request: Request) -> Response:
    return HTMLResponse("<p>no picture</p>")


@pytest.fixture
async def shop() -> AsyncIterator[Listener]:
    """A web server from which Telegram may fetch."""
    routes = [Route("/a.jpg", _picture), Route("/page", _page)]
    async with serving(Starlette(routes=routes)) as listener:
        yield listener


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    platform = Platform()
    yield platform
    await platform.close()


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(platform.app()) as listener:
        given = platform.credentials(listener.base_url)
        base = f"{given['api_base']}/bot{given['token']}/"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
            yield http


def test_a_film_says_its_size_and_length() -> None:
    assert video_facts(film(1080, 1920, 15)) == VideoFacts(1080, 1920, 15.0)


@pytest.mark.parametrize("data", [b"", b"GIF89a", film(9, 9, 9)[:40], b"\x00\x00\x00\x08moov" * 3])
def test_what_is_no_film_has_no_facts(data: bytes) -> None:
    assert video_facts(data) == VideoFacts()


async def test_a_video_is_looked_into(http: httpx.AsyncClient, platform: Platform) -> None:
    answer = await http.post(
        "sendVideo",
        data={"chat_id": platform.person()},
        files={"video": ("v.mp4", film(1080, 1920, 15))},
    )

    video = answer.json()["result"]["video"]
    assert (video["width"], video["height"], video["duration"]) == (1080, 1920, 15)


async def test_a_photo_comes_in_sizes_that_can_be_sent(
    http: httpx.AsyncClient, platform: Platform
) -> None:
    person = platform.person()
    sent = await http.post(
        "sendPhoto", data={"chat_id": person}, files={"photo": ("a.jpg", picture())}
    )
    sizes = sent.json()["result"]["photo"]

    again = await http.post("sendPhoto", json={"chat_id": person, "photo": sizes[0]["file_id"]})

    assert [max(size["width"], size["height"]) for size in sizes] == [90, 320, 800, 1280]
    assert len({size["file_id"] for size in sizes}) == 4
    assert again.json()["result"]["photo"] == sizes


async def test_a_photo_by_url(http: httpx.AsyncClient, platform: Platform, shop: Listener) -> None:
    person = platform.person()

    good = await http.post("sendPhoto", json={"chat_id": person, "photo": f"{shop.base_url}/a.jpg"})
    refusals = [
        (await http.post("sendPhoto", json={"chat_id": person, "photo": url})).json()["description"]
        for url in (f"{shop.base_url}/page", f"{shop.base_url}/nothing", "http://127.0.0.1:9/a")
    ]

    assert good.status_code == 200
    assert refusals == [
        "Bad Request: wrong type of the web page content",
        "Bad Request: failed to get HTTP URL content",
        "Bad Request: failed to get HTTP URL content",
    ]


def test_the_oldest_bytes_go_when_there_are_too_many() -> None:
    blobs = Blobs(most=10)
    first, second = blobs.put(b"123456", "a/b"), blobs.put(b"abcdef", "a/b")

    assert blobs.get(first) is None
    assert blobs.get(second) == (b"abcdef", "a/b")
