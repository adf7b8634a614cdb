"""The demo's posters are drawn by code, alike each time, and fit for every platform."""

from functools import cache

import pytest
from PIL import Image, ImageChops, ImageStat

from sandbox.drawing import HEIGHT, WIDTH, Canvas, Gradient, as_jpeg
from sandbox.pictures import FOLDER, FRAMES, LIMIT


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return how far two pictures are apart on average, in steps of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


@cache
def drawn(name: str) -> Image.Image:
    """Return a frame, drawn once for all tests."""
    return FRAMES[name]()


@pytest.mark.parametrize("name", FRAMES)
def test_a_shipped_frame_is_what_the_code_draws(name: str) -> None:
    path = FOLDER / name
    with Image.open(path) as shipped:
        shipped.load()

    assert shipped.format == "JPEG"
    assert shipped.size == (WIDTH, HEIGHT) == (1080, 1920)
    assert path.stat().st_size < 300_000
    # Another release of Pillow may round otherwise; nobody's eye would see that.
    assert difference(shipped, drawn(name)) < 4


def test_the_folder_holds_the_story_and_nothing_else() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(FRAMES)


def test_a_frame_is_drawn_alike_each_time() -> None:
    name = min(FRAMES)

    again = FRAMES[name]()

    assert as_jpeg(again, limit=LIMIT) == as_jpeg(drawn(name), limit=LIMIT)


def test_an_accent_is_written_although_the_font_has_none() -> None:
    plain, grave, acute = Canvas("#000000"), Canvas("#000000"), Canvas("#000000")
    plain.write("E", (540, 400), 200, "#ffffff")
    grave.write("È", (540, 400), 200, "#ffffff")
    acute.write("É", (540, 400), 200, "#ffffff")

    above = (0, 0, WIDTH * 2, 500)
    assert plain.image.crop(above).getbbox() is None
    assert grave.image.crop(above).getbbox() is not None
    assert difference(grave.image.crop(above), acute.image.crop(above)) > 0


def test_a_glow_ends_before_its_box_does() -> None:
    canvas = Canvas("#000000")
    canvas.glow((540, 960), 300, "#ffffff", 1.0)

    assert canvas.image.getpixel((1080, 1920)) > (240, 240, 240)
    assert canvas.image.getpixel((1080, (960 - 298) * 2)) == (0, 0, 0)


def test_a_gradient_begins_and_ends_with_its_colours() -> None:
    ramp = Gradient(((0, "#102030"), (1, "#f0e0d0"))).image((3, 300))

    assert ramp.getpixel((1, 0)) == (0x10, 0x20, 0x30)
    assert ramp.getpixel((1, 299)) == (0xF0, 0xE0, 0xD0)


def test_a_poster_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="fits into 10 bytes"):
        as_jpeg(Image.new("RGB", (8, 8)), limit=10)
