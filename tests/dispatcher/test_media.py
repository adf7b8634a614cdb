"""What is taken in is what it is, whatever it is called."""

import hashlib
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher import media
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


async def test_a_picture_of_too_many_pixels_is_never_decoded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MOST_PIXELS", 999)

    answer = await rig.http.post(rig.path("media"), content=picture(size=(10, 100)))

    assert answer.status_code == 422
    assert "999 pixels" in answer.json()["detail"]


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
