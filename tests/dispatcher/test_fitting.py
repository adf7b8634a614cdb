"""A picture is made to fit a platform once, the same each time, and off the event loop."""

import asyncio
import io
import random

import pytest
from PIL import Image

from channels.base.channel import MediaFile
from channels.base.media import PictureLimits, VideoLimits, fit_picture, video_problems
from services.dispatcher.darkroom import Darkroom
from services.dispatcher.shelf import Shelf
from services.dispatcher.store import MediaStore
from shared.contracts.stories import MediaFacts
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, picture

LIMITS = PictureLimits(
    formats=("image/jpeg", "image/png"), most_bytes=60_000, most_sides=1_000, most_ratio=4
)


def facts(width: int = 90, height: int = 160, *, mime: str = "image/jpeg", size: int = 2_000):
    return MediaFacts(id=new_id(), kind="image", mime=mime, width=width, height=height, bytes=size)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (facts(), (90, 160, False)),
        (facts(size=60_001), (90, 160, True)),
        (facts(mime="image/webp"), (90, 160, True)),
        (facts(1_200, 800), (600, 400, True)),
        (facts(400, 100), (400, 100, False)),
        (facts(401, 100), None),
        (facts(0, 100), None),
    ],
)
def test_how_a_picture_fits_follows_from_its_facts(given, wanted) -> None:
    found = fit_picture(given, LIMITS)

    assert (found and (found.width, found.height, found.changed)) == wanted


def test_a_video_that_is_too_much_is_told_limit_by_limit() -> None:
    film = MediaFacts(
        id=new_id(),
        kind="video",
        mime="video/mp4",
        width=4_000,
        height=3_000,
        seconds=61,
        codec="vp9",
        sound="opus",
        bytes=17_000_000,
    )
    limits = VideoLimits(most_bytes=16_000_000, codecs=("h264",), most_seconds=60, most_side=1_920)
    codes = [code for code, _ in video_problems(film, limits)]

    assert codes == [
        "video_too_large",
        "video_too_long",
        "video_dimensions",
        "video_codec",
        "video_sound",
    ]


def noisy(width: int, height: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """A picture that is hard to compress."""
    made = io.BytesIO()
    noise = random.Random(7).randbytes(width * height * len(mode))
    Image.frombytes(mode, (width, height), noise).save(made, kind)
    return made.getvalue()


async def kept(rig: Rig, data: bytes) -> MediaFile:
    """What a platform with these limits gets of a picture."""
    media = await rig.dispatcher.put_media(rig.brand_id, mime="", name="vista.png", data=data)
    return await rig.desk.media.read_fitted(rig.brand_id, media.id, LIMITS)


@pytest.mark.parametrize(
    ("data", "mime", "size"),
    [
        (picture(size=(1_200, 800)), "image/jpeg", (600, 400)),
        (picture(size=(1_200, 800), kind="PNG"), "image/png", (600, 400)),
        (picture(size=(300, 200), kind="WEBP"), "image/jpeg", (300, 200)),
        (noisy(300, 200), "image/jpeg", (300, 200)),
    ],
)
async def test_what_is_sent_is_within_the_limits(
    rig: Rig, data: bytes, mime: str, size: tuple[int, int]
) -> None:
    file = await kept(rig, data)

    assert file.mime == mime
    assert len(file.data) <= LIMITS.most_bytes
    assert file.name == ("vista.jpg" if mime == "image/jpeg" else "vista.png")
    with Image.open(io.BytesIO(file.data)) as shown:
        assert shown.size == size


async def test_what_no_quality_makes_small_enough_loses_size(rig: Rig) -> None:
    file = await kept(rig, noisy(600, 400))

    assert len(file.data) <= LIMITS.most_bytes
    with Image.open(io.BytesIO(file.data)) as shown:
        assert shown.width < 600
        assert abs(shown.width / shown.height - 1.5) < 0.02


async def test_what_can_be_seen_through_is_seen_on_white(rig: Rig) -> None:
    made = io.BytesIO()
    Image.new("RGBA", (300, 200), (255, 0, 0, 0)).save(made, "WEBP")
    file = await kept(rig, made.getvalue())

    with Image.open(io.BytesIO(file.data)) as shown:
        assert min(shown.convert("RGB").getpixel((150, 100))) > 250


@pytest.mark.parametrize("data", [picture(), picture(size=(3_000, 20)), picture(kind="GIF")])
async def test_what_fits_or_cannot_be_fitted_is_sent_as_it_is(rig: Rig, data: bytes) -> None:
    assert (await kept(rig, data)).data == data
    assert await rig.sql("SELECT 1 FROM dispatcher.media_fit") == []


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the darkroom was asked to fit, in order."""
    asked: list[str] = []
    fit = Darkroom.fit

    async def note(self: Darkroom, data: bytes, kind: str, **order):
        asked.append(kind)
        return await fit(self, data, kind, **order)

    monkeypatch.setattr(Darkroom, "fit", note)
    return asked


async def test_many_who_ask_have_it_fitted_once_and_so_have_those_who_come_later(
    rig: Rig, orders: list[str]
) -> None:
    media = await rig.dispatcher.put_media(
        rig.brand_id, mime="", name="a", data=picture(size=(1_200, 800))
    )
    another_process = MediaStore(rig.desk.database)
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(rig.desk.media.read_fitted(rig.brand_id, media.id, LIMITS))
            for _ in range(8)
        ]
    later = await another_process.read_fitted(rig.brand_id, media.id, LIMITS)
    wider = PictureLimits(formats=("image/jpeg",), most_bytes=60_000, most_sides=1_500)
    other = await another_process.read_fitted(rig.brand_id, media.id, wider)

    assert orders == ["JPEG", "JPEG"]
    assert {task.result().data for task in asked} == {later.data}
    assert other.data != later.data


async def test_two_processes_that_fit_at_once_make_the_same(rig: Rig, orders: list[str]) -> None:
    media = await rig.dispatcher.put_media(rig.brand_id, mime="", name="a", data=noisy(500, 600))
    processes = [MediaStore(rig.desk.database) for _ in range(2)]
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(each.read_fitted(rig.brand_id, media.id, LIMITS))
            for each in processes
        ]

    assert orders == ["PNG", "PNG"]
    assert asked[0].result() == asked[1].result()
    assert len(await rig.sql("SELECT 1 FROM dispatcher.media_fit")) == 1


async def test_who_goes_away_leaves_the_fitting_to_those_who_come(
    rig: Rig, orders: list[str]
) -> None:
    """A send's time is shorter than a large picture's, and the next try must not begin anew."""
    media = await rig.dispatcher.put_media(
        rig.brand_id, mime="", name="a", data=picture(size=(1_200, 800))
    )
    shelf = Shelf(
        rig.desk.database,
        rig.desk.media,
        brand_id=rig.brand_id,
        account_id=rig.account_id,
        pictures=LIMITS,
    )
    hurried = asyncio.create_task(shelf.file(media.id))
    while not orders:
        await asyncio.sleep(0.001)
    hurried.cancel()
    file = await shelf.file(media.id)

    assert orders == ["JPEG"]
    assert file.mime == "image/jpeg"
    assert file.id != media.id


async def test_a_story_says_which_frame_is_made_smaller_and_which_cannot_be(rig: Rig) -> None:
    shown = [picture(size=size) for size in ((40, 60), (7_000, 3_500), (2_100, 100))]
    frames = [
        {
            "media_id": (
                await rig.dispatcher.put_media(rig.brand_id, mime="", name="a", data=data)
            ).id
        }
        for data in shown
    ]
    story = await rig.story(frames=frames)
    found = {(f.level, f.code, f.frame) for f in story.findings if f.channel == "telegram"}
    campaign = await rig.campaign(story=story)
    ahead = await rig.http.post(rig.path("campaigns", campaign.id, "preflight"))
    launched = await rig.http.post(rig.path("campaigns", campaign.id, "launch"))

    assert found == {("warning", "picture_fitted", 1), ("error", "photo_dimensions", 2)}
    told = {(f["level"], f["code"], f["frame"]) for f in ahead.json()["findings"]}
    assert found <= told
    assert launched.status_code == 422
    assert [e["pointer"] for e in launched.json()["errors"]] == ["/story/frames/2"]
