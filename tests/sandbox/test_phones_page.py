"""The page of the phones: strict about scripts, live, and careful with what people upload."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
from PIL import Image

import sandbox as package
from channels.base.simulator import Listener
from sandbox.app import Sandbox

STATIC = Path(package.__file__).parent / "static"


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with Sandbox().serving() as listener:
        yield listener


@pytest.fixture
async def http(listener: Listener) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=listener.base_url, trust_env=False) as http:
        yield http


async def test_the_page_and_all_it_needs(http: httpx.AsyncClient) -> None:
    page = await http.get("/")

    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    needed = set(re.findall(r'(?:src|href)="(/[^"]+)"', page.text))
    assert needed >= {"/static/phones.js", "/static/phones.css", "/static/bubbles.css"}
    for path in needed:
        assert (await http.get(path)).status_code == 200
    # A strict policy would silently drop these.
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*src)", page.text)


def test_nothing_comes_from_elsewhere() -> None:
    for file in STATIC.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(?:src|href|url|import|from)\W{1,3}https?://", text), file.name
        assert "innerHTML" not in text


async def test_phones_are_listed_and_found(http: httpx.AsyncClient) -> None:
    base = {"channel": "telegram", "account": "42"}
    await http.post("/control/people", json={**base, "count": 30})
    await http.post("/control/people", json={**base, "address": "5", "name": "Ornella"})
    await http.post("/control/say", json={**base, "address": "5", "text": "hi"})

    liveliest = (await http.get("/control/phones")).json()["items"]
    found = (await http.get("/control/phones", params={"search": "orne"})).json()["items"]

    assert len(liveliest) == 12
    assert liveliest[0]["address"] == "5"
    assert [phone["name"] for phone in found] == ["Ornella"]


async def test_a_change_is_streamed(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10), http.stream("GET", "/events") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        said = {"channel": "telegram", "account": "42", "address": "5", "text": "hi"}
        await http.post("/control/say", json=said)
        async for line in lines:
            if line.startswith("data: "):
                break

    assert orjson.loads(line.removeprefix("data: ")) == ["5"]


async def test_media_are_shown_only_when_they_are_media(http: httpx.AsyncClient) -> None:
    await http.post(
        "/control/people", json={"channel": "telegram", "account": "42", "address": "5"}
    )
    url = "/telegram/bot42:A/"
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG")
    picture = {"photo": ("a.png", buffer.getvalue())}
    page = {"document": ("a.html", b"<script>1</script>", "text/html")}
    await http.post(f"{url}sendPhoto", data={"chat_id": "5"}, files=picture)
    await http.post(f"{url}sendDocument", data={"chat_id": "5"}, files=page)
    phone = await http.get("/control/phone", params={"channel": "telegram", "address": "5"})
    shown, saved = (m["media"][0]["url"] for m in phone.json()["messages"])

    picture_answer, page_answer = await http.get(shown), await http.get(saved)
    piece = await http.get(shown, headers={"range": "bytes=0-3"})

    assert picture_answer.headers["content-type"] == "image/png"
    assert page_answer.headers["content-disposition"] == "attachment"
    assert page_answer.headers["content-type"] == "application/octet-stream"
    assert (piece.status_code, len(piece.content)) == (206, 4)
    assert (await http.get("/media/nothing")).status_code == 404
