"""ffprobe is believed where it speaks, and cannot hurt us where it does not end.

The programs here stand in for it: this is about how it is asked, bounded and understood.
"""

import json
import sys
import time
from pathlib import Path

import pytest

from services.dispatcher import ffprobe
from services.dispatcher.ffprobe import Unreadable, probe
from services.dispatcher.mp4 import VideoFacts
from tests.dispatcher.desk_rig import Rig
from tests.dispatcher.test_media import video

SAID = {
    "streams": [
        {"codec_type": "audio", "codec_name": "aac"},
        {
            "codec_type": "video",
            "codec_name": "hevc",
            "width": 1280,
            "height": 720,
            "side_data_list": [{"rotation": -90}],
        },
    ],
    "format": {"duration": "12.500000"},
}


def program(folder: Path, body: str) -> str:
    """A program that stands in for ffprobe."""
    made = folder / "ffprobe"
    made.write_text(f"#!{sys.executable} -I\nimport os, sys, time\n{body}\n")
    made.chmod(0o755)
    return str(made)


async def test_what_it_says_of_a_film_that_was_filmed_lying(tmp_path: Path) -> None:
    said = program(tmp_path, f"print({json.dumps(SAID)!r})")

    assert await probe(said, b"film") == VideoFacts(720, 1280, 12.5, "hevc", "aac")


async def test_it_gets_the_film_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPATCHER_SERVICE_KEY", "secret-of-the-house")
    noted = tmp_path / "noted"
    note = (
        "told = [sys.argv, os.listdir('.'), open('video.mp4').read(), str(os.environ)]\n"
        f"open({str(noted)!r}, 'w').write(repr(told)); print('{{}}')"
    )

    assert await probe(program(tmp_path, note), b"film") is None
    told = noted.read_text()
    assert "'-protocol_whitelist', 'file'" in told
    assert "['video.mp4'], 'film'" in told
    assert "secret-of-the-house" not in told


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(600)",
        "while True: sys.stdout.write('x' * 65536)",
        "print('not json')",
        "print('[]')",
        'print(\'{"streams": [7], "format": 7}\')',
    ],
)
async def test_without_a_sensible_answer_the_headers_count(
    tmp_path: Path, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffprobe, "WITHIN", 1.0)
    begun = time.monotonic()

    assert await probe(program(tmp_path, body), b"film") is None
    assert time.monotonic() - begun < 30


async def test_what_it_cannot_read_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        await probe(program(tmp_path, "sys.exit(1)"), b"film")


async def test_it_is_asked_where_the_machine_has_it(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffprobe, "find", lambda: program(tmp_path, f"print({json.dumps(SAID)!r})"))
    kept = await rig.dispatcher.put_media(rig.brand_id, mime="", name="v", data=video())

    monkeypatch.setattr(ffprobe, "find", lambda: program(tmp_path, "sys.exit(1)"))
    answer = await rig.http.post(rig.path("media"), content=video(width=640))

    assert (kept.codec, kept.sound, kept.seconds) == ("hevc", "aac", 12.5)
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_media")
