"""What is taken in is what it is, whatever it is called."""

import asyncio
import hashlib
import io
import os
import struct
import sys
import time
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.dispatcher import developing, media
from services.dispatcher.darkroom import Darkroom, NotMedia
from services.dispatcher.media import file_name
from services.dispatcher.mp4 import NotMp4, VideoFacts, read_mp4
from services.dispatcher.store import CHUNK
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, picture


def box(kind: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def video(width: int = 720, height: int = 1280, *, turned: bool = False, version: int = 0) -> bytes:
    """The boxes of an MP4 of 12.5 seconds; not one frame in it."""
    if version:
        mvhd = struct.pack(">B3x QQIQ", 1, 0, 0, 1000, 12_500) + bytes(80)
        lead = struct.pack(">B3x QQII", 1, 0, 0, 1, 0) + bytes(8 + 16)
    else:
        mvhd = struct.pack(">B3x IIII", 0, 0, 0, 1000, 12_500) + bytes(80)
        lead = struct.pack(">B3x IIII", 0, 0, 0, 1, 0) + bytes(4 + 16)
    one = 0x10000
    matrix = [0, one, 0, -one, 0, 0, 0, 0, one * 0x4000] if turned else [one, 0, 0, 0, one]
    matrix += [0] * (9 - len(matrix))
    tkhd = lead + struct.pack(">9i", *matrix) + struct.pack(">II", width << 16, height << 16)
    sound = box(
        b"trak", box(b"tkhd", lead + bytes(44)), box(b"mdia", box(b"hdlr", bytes(8), b"soun"))
    )
    seen = box(
        b"trak", box(b"tkhd", tkhd), box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(12)))
    )
    moov = box(b"moov", box(b"mvhd", mvhd), sound, seen)
    return box(b"ftyp", b"isom", bytes(4), b"isom") + moov + box(b"mdat", b"pictures")


@pytest.mark.parametrize("version", [0, 1])
def test_a_video_tells_its_size_and_length(version: int) -> None:
    assert read_mp4(video(version=version)) == VideoFacts(720, 1280, 12.5)


def test_a_video_that_was_filmed_lying_is_shown_standing() -> None:
    assert read_mp4(video(1280, 720, turned=True)) == VideoFacts(720, 1280, 12.5)


@pytest.mark.parametrize("part", [b"moov", b"mdat", b"vide", b"ftyp"])
def test_a_video_without_its_parts_is_none(part: bytes) -> None:
    with pytest.raises(NotMp4):
        read_mp4(video().replace(part, b"free"))


@given(st.binary(max_size=200), st.integers(0, 700))
def test_no_bytes_can_hurt_the_reader_of_videos(noise: bytes, at: int) -> None:
    whole = video()
    try:
        facts = read_mp4(whole[:at] + noise + whole[at + len(noise) :])
    except NotMp4:
        return
    assert facts.seconds >= 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_picture_is_stored_whole(rig: Rig, kind: str) -> None:
    data = picture(size=(700, 900), kind=kind)

    answer = await rig.http.post(
        rig.path("media"), content=data, headers={"x-file-name": "caf%C3%A9/..%2Fvacanza.exe"}
    )
    facts = answer.json()
    content = await rig.http.get(rig.path("media", facts["id"], "content"))

    assert answer.status_code == 201
    assert (facts["width"], facts["height"], facts["kind"]) == (700, 900, "image")
    assert facts["sha256"] == hashlib.sha256(data).hexdigest()
    assert content.content == data
    assert content.headers["content-type"] == f"image/{kind.lower()}"
    assert content.headers["x-content-type-options"] == "nosniff"
    assert "vacanza." in content.headers["content-disposition"]
    assert ".exe" not in content.headers["content-disposition"]


async def test_bytes_of_many_chunks_come_back_in_order(rig: Rig) -> None:
    data = video() + box(b"free", os.urandom(CHUNK * 3 + 17))

    kept = await rig.dispatcher.put_media(rig.brand_id, mime="video/mp4", name="v", data=data)
    read = await rig.desk.media.read(rig.brand_id, kept.id)
    async with rig.dispatcher.media_content(rig.brand_id, kept.id) as answer:
        streamed = await answer.aread()

    assert read.data == streamed == data
    assert (kept.kind, kept.seconds) == ("video", 12.5)


async def test_equal_bytes_of_a_brand_are_one_media(rig: Rig) -> None:
    one = await rig.dispatcher.put_media(rig.brand_id, mime="", name="a", data=picture())
    two = await rig.dispatcher.put_media(rig.brand_id, mime="", name="b", data=picture())
    foreign = await rig.dispatcher.put_media(new_id(), mime="", name="b", data=picture())

    assert one == two
    assert foreign.id != one.id
    assert len(await rig.sql("SELECT 1 FROM dispatcher.media_chunk")) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg/>",
        picture()[:300],
        b"\xff\xd8\xff" + bytes(50),
        video()[:100],
        b"RIFF" * 9,
    ],
)
async def test_what_is_no_media_is_refused_with_a_reason(rig: Rig, data: bytes) -> None:
    answer = await rig.http.post(rig.path("media"), content=data)

    assert answer.status_code == 422
    assert answer.json()["code"] == "unsupported_media"


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is as large as this; it cannot be decoded."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", ihdr), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


async def test_a_picture_of_too_many_pixels_is_never_decoded(rig: Rig) -> None:
    answer = await rig.http.post(rig.path("media"), content=claiming(10_000, 5_001))
    large = await rig.http.post(rig.path("media"), content=claiming(10_000, 5_000))

    assert answer.status_code == large.status_code == 422
    assert f"more than {developing.MOST_PIXELS} pixels; make it smaller" in answer.json()["detail"]
    assert "damaged" in large.json()["detail"]


async def test_a_gif_of_too_many_pixels_in_all_is_refused() -> None:
    made = io.BytesIO()
    pages = [Image.new("P", (3_000, 3_000), n % 2) for n in range(46)]
    pages[0].save(made, "GIF", save_all=True, append_images=pages[1:], duration=50)

    with pytest.raises(NotMedia, match="46 frames have more than"):
        await Darkroom().develop(made.getvalue(), "GIF")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_what_moves_is_refused_unless_it_is_a_gif(rig: Rig, kind: str) -> None:
    made, pages = io.BytesIO(), [Image.new("RGB", (40, 60), c) for c in ("red", "blue")]
    pages[0].save(made, kind, save_all=True, append_images=pages[1:])
    answer = await rig.http.post(rig.path("media"), content=made.getvalue())

    assert answer.status_code == 422
    assert "send it as a GIF or an MP4" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("claimed", "status"),
    [
        ("image/jpeg", 201),
        ("image/JPG; x=y", 201),
        ("application/octet-stream", 201),
        ("", 201),
        ("image/png", 201),
        ("video/mp4", 422),
        ("text/html", 422),
    ],
)
async def test_what_came_as_something_else_is_refused(rig: Rig, claimed: str, status: int) -> None:
    headers = {"content-type": claimed}
    answer = await rig.http.post(rig.path("media"), content=picture(), headers=headers)

    assert answer.status_code == status
    if status == 422:
        assert answer.json()["code"] == "media_mismatch"
        assert "is image/jpeg: send the file that was meant" in answer.json()["detail"]


def photographed(orientation: int, kind: str = "JPEG") -> bytes:
    """A lying picture, red on its left, with all that a phone writes beside it."""
    drawn, made = Image.new("RGB", (90, 60), "blue"), io.BytesIO()
    drawn.paste("red", (0, 0, 30, 60))
    exif = drawn.getexif()
    exif[0x0112], exif[0x010F] = orientation, "CAMERA-OF-ADA"
    place: dict[int, Any] = {1: "N", 2: (45.0, 28.0, 0.0), 3: "E", 4: (9.0, 11.0, 0.0)}
    exif._ifds[0x8825] = place
    drawn.save(made, kind, exif=exif.tobytes(), quality=95)
    return made.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (90, 60), (5, 30)),
        (3, (90, 60), (85, 30)),
        (6, (60, 90), (30, 5)),
        (8, (60, 90), (30, 85)),
    ],
)
async def test_a_picture_is_kept_upright_and_tells_no_place(
    rig: Rig, kind: str, orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    sent = photographed(orientation, kind)
    kept = await rig.dispatcher.put_media(rig.brand_id, mime="", name="a", data=sent)
    data = (await rig.desk.media.read(rig.brand_id, kept.id)).data

    assert b"CAMERA-OF-ADA" in sent
    assert b"CAMERA-OF-ADA" not in data
    with Image.open(io.BytesIO(data)) as shown:
        assert not dict(shown.getexif())
        assert shown.size == size == (kept.width, kept.height)
        red, _, blue = shown.convert("RGB").getpixel(red_at)
        assert red > 200 > 60 > blue
    assert (kept.sha256, kept.bytes) == (hashlib.sha256(data).hexdigest(), len(data))


async def test_a_guest_that_eats_memory_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = io.BytesIO()
    Image.new("RGB", (7_000, 7_000)).save(made, "PNG", compress_level=1)
    code = "import services.dispatcher.developing as d; d.MEMORY = 96 * 1024 * 1024; d.main()"
    monkeypatch.setattr("services.dispatcher.darkroom._COMMAND", (sys.executable, "-c", code))

    with pytest.raises(NotMedia):
        await Darkroom().develop(made.getvalue(), "PNG")


async def test_a_guest_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_SERVICE_KEY", "secret-of-the-house")
    code = "import json, os; print(json.dumps({'wrong': str(dict(os.environ))}))"
    monkeypatch.setattr("services.dispatcher.darkroom._COMMAND", (sys.executable, "-c", code))

    with pytest.raises(NotMedia) as told:
        await Darkroom().develop(b"", "PNG")
    assert "secret-of-the-house" not in str(told.value)


async def test_a_guest_that_never_ends_is_shown_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.dispatcher.darkroom.WITHIN", 0.3)
    code = "import time; time.sleep(600)"
    monkeypatch.setattr("services.dispatcher.darkroom._COMMAND", (sys.executable, "-c", code))

    with pytest.raises(NotMedia, match="too long"):
        await Darkroom().develop(b"", "PNG")


async def test_the_house_goes_on_while_a_picture_is_looked_at(rig: Rig, tell: Any) -> None:
    """A picture of one colour is small and takes seconds; the longest wait is a part of them."""
    made, gaps = io.BytesIO(), [0.0]
    Image.new("RGB", (7_000, 7_000), "teal").save(made, "PNG")

    async def look_at_the_clock() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            gaps.append(time.monotonic() - before)
            before = time.monotonic()

    looking, begun = asyncio.create_task(look_at_the_clock()), time.monotonic()
    await rig.dispatcher.put_media(rig.brand_id, mime="", name="a", data=made.getvalue())
    took = time.monotonic() - begun
    looking.cancel()

    tell(f"{took:.2f} s for 49 million pixels, the loop waited {max(gaps) * 1000:.0f} ms at most")
    assert max(gaps) < took / 4


async def test_a_file_that_is_too_large_is_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MOST_BYTES", 100)

    answer = await rig.http.post(rig.path("media"), content=picture())

    assert answer.status_code == 413


async def test_media_of_another_brand_is_not_there(rig: Rig) -> None:
    kept = await rig.dispatcher.put_media(rig.brand_id, mime="", name="a", data=picture())

    for path in (f"media/{kept.id}", f"media/{kept.id}/content"):
        answer = await rig.http.get(f"/v1/brands/{new_id()}/{path}")
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("a.jpeg", "a.png"),
        (None, "media.png"),
        ("../../x", "x.png"),
        ("%00\r\n\"'", "media.png"),
        ("caf%C3%A9.png", "café.png"),
        ("." * 300, "media.png"),
    ],
)
def test_a_file_gets_a_harmless_name(given_name: str | None, name: str) -> None:
    assert file_name(given_name, "image/png") == name
