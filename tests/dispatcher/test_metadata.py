"""What is not the picture goes, and what is stays byte for byte."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from services.dispatcher.metadata import Damaged, Moves, without_metadata
from services.dispatcher.mp4 import NotMp4, read_mp4
from services.dispatcher.mp4_metadata import without_metadata as of_film
from tests.dispatcher.test_media import box, video

SECRET = b"ADA-AT-HOME"
KINDS = ("JPEG", "PNG", "WEBP", "GIF")


def drawn() -> Image.Image:
    made = Image.new("RGB", (64, 48), "gold")
    made.paste("navy", (10, 10, 40, 30))
    return made


def saved(kind: str, **extra: object) -> bytes:
    made = io.BytesIO()
    drawn().save(made, kind, **extra)
    return made.getvalue()


def told(kind: str) -> bytes:
    """A picture with its secret in every place that Pillow can put it, and behind the end."""
    text = SECRET.decode()
    exif = Image.Exif()
    exif[0x010F] = text
    extra: dict[str, object] = {"exif": exif.tobytes()} if kind != "GIF" else {}
    if kind == "PNG":
        extra["pnginfo"] = info = PngImagePlugin.PngInfo()
        info.add_text("Comment", text)
        info.add_text("Long", text * 9, zip=True)
        info.add_itxt("XML:com.adobe.xmp", text)
    if kind in ("JPEG", "GIF"):
        extra["comment"] = text
    if kind in ("JPEG", "WEBP"):
        extra["xmp"] = SECRET
    return saved(kind, **extra) + SECRET


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as shown:
        return shown.convert("RGB").tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_for_secrets_is_emptied_and_no_pixel_changes(kind: str) -> None:
    sent = told(kind)
    kept = without_metadata(sent, kind)

    assert SECRET in sent
    assert SECRET not in kept
    assert pixels(kept) == pixels(sent)
    assert without_metadata(kept, kind) == kept


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_tells_nothing_stays_as_it_is(kind: str) -> None:
    assert without_metadata(saved(kind), kind) == saved(kind)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_colours_keep_their_profile(kind: str) -> None:
    profile = b"\0" * 128 + b"a profile of colours"
    with Image.open(io.BytesIO(without_metadata(saved(kind, icc_profile=profile), kind))) as shown:
        assert shown.info["icc_profile"] == profile


def test_a_jpeg_of_many_scans_and_a_second_picture_keeps_the_first() -> None:
    whole = saved("JPEG", progressive=True)
    mpf = b"\xff\xe2" + struct.pack(">H", 6) + b"MPF\0"
    sent = whole[:2] + mpf + whole[2:] + saved("JPEG")

    assert without_metadata(sent, "JPEG") == whole


def test_a_gif_goes_on_turning() -> None:
    pages = [Image.new("RGB", (20, 20), c) for c in ("red", "green", "blue")]
    made = io.BytesIO()
    pages[0].save(made, "GIF", save_all=True, append_images=pages[1:], loop=3, comment=SECRET)
    with Image.open(io.BytesIO(without_metadata(made.getvalue(), "GIF"))) as shown:
        assert (shown.n_frames, shown.info["loop"]) == (3, 3)
        assert "comment" not in shown.info


@pytest.mark.parametrize("kind", KINDS)
@given(share=st.floats(0.01, 0.99))
def test_a_file_that_is_cut_off_is_damaged(kind: str, share: float) -> None:
    whole = saved(kind)
    try:
        kept = without_metadata(whole[: max(12, int(len(whole) * share))], kind)
    except (Damaged, Moves):
        return
    # WebP says its length first, so its end may be missing here and is found by decoding.
    assert kind == "WEBP"
    assert len(kept) < len(whole)


@pytest.mark.parametrize("kind", KINDS)
@given(noise=st.binary(max_size=60), at=st.integers(2, 900))
def test_no_bytes_can_hurt_the_stripper(kind: str, noise: bytes, at: int) -> None:
    whole = saved(kind)
    given = whole[:at] + noise + whole[at + len(noise) :]
    try:
        kept = without_metadata(given, kind)
    except (Damaged, Moves):
        return
    assert len(kept) <= len(given)


def film_of_a_place() -> bytes:
    """A film with a place in `udta`, `meta` and `uuid`, and a track of places in its `mdat`."""
    plain = video()
    moov_at = plain.index(b"moov") - 4
    moov_end = moov_at + int.from_bytes(plain[moov_at : moov_at + 4])
    samples = SECRET * 2
    mdat_at = moov_end  # What is told goes behind: `stco` below counts from the file's begin.
    for _ in "twice":  # The second time, `stco` knows where the samples are.
        stbl = box(
            b"stbl",
            box(b"stsd", bytes(8)),
            box(b"stco", struct.pack(">III", 0, 1, mdat_at + 8)),
            box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 2, 1)),
            box(b"stsz", struct.pack(">IIIII", 0, 0, 2, len(SECRET), len(SECRET))),
        )
        hdlr = box(b"hdlr", bytes(8), b"meta", bytes(12))
        track = box(b"trak", box(b"mdia", hdlr, box(b"minf", stbl)))
        more = track + box(b"udta", box(b"\xa9xyz", SECRET)) + box(b"meta", SECRET)
        size = moov_end - moov_at + len(more)
        head = plain[:moov_at] + struct.pack(">I4s", size, b"moov")
        head += plain[moov_at + 8 : moov_end] + more
        mdat_at = len(head)
    return head + box(b"mdat", samples, b"pictures") + box(b"uuid", SECRET)


def test_a_film_tells_no_place_and_nothing_in_it_moves() -> None:
    sent = film_of_a_place()
    kept = of_film(sent)

    assert sent.count(SECRET) == 5
    assert SECRET not in kept
    assert len(kept) == len(sent)
    assert kept.index(b"pictures") == sent.index(b"pictures")
    assert read_mp4(kept) == read_mp4(sent)
    assert of_film(kept) == kept
    assert of_film(video()) == video()


@given(st.binary(max_size=200), st.integers(0, 900))
def test_no_bytes_can_hurt_the_stripper_of_films(noise: bytes, at: int) -> None:
    whole = film_of_a_place()
    spoiled = whole[:at] + noise + whole[at + len(noise) :]

    kept = of_film(spoiled)

    assert len(kept) == len(spoiled)
    try:
        read_mp4(kept)
    except NotMp4:
        return


def coded(name: bytes) -> bytes:
    """A film whose pictures are in this codec."""
    whole = video()
    at = whole.index(b"vide") + 16
    stbl = box(b"minf", box(b"stbl", box(b"stsd", bytes(8), box(name, bytes(8)))))
    grown = whole[:at] + stbl + whole[at:]
    for kind in (b"moov", b"mdia", b"trak"):
        found = grown.rindex(kind) - 4
        size = int.from_bytes(grown[found : found + 4]) + len(stbl)
        grown = grown[:found] + struct.pack(">I", size) + grown[found + 4 :]
    return grown


@pytest.mark.parametrize(
    ("name", "codec"),
    [(b"avc1", "h264"), (b"hvc1", "hevc"), (b"av01", "av1"), (b"xyz ", "xyz"), (b"\xff" * 4, None)],
)
def test_a_film_tells_its_codec(name: bytes, codec: str | None) -> None:
    assert read_mp4(coded(name)).codec == codec
