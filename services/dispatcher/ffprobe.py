"""Ask ffprobe about a video, on machines that have it: it reads more than an MP4's headers.

A file that somebody made for it must not hurt us: it gets a copy in a folder of its own, no
network and no other file, no environment, a few seconds, and little room for its answer.
"""

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import structlog

from services.dispatcher.mp4 import VideoFacts

log = structlog.get_logger()

WITHIN = 20.0
"""Seconds."""
MOST_SAID = 256 * 1024
"""Bytes of its answer."""
_ASK = (
    *("-v", "error", "-protocol_whitelist", "file", "-f", "mov", "-of", "json"),
    *("-show_entries", "stream=codec_type,codec_name,width,height:stream_side_data=rotation"),
    *("-show_entries", "format=duration"),
)
"""`-f mov` also keeps it from taking the file for a playlist, which would name others."""


class Unreadable(ValueError):
    """ffprobe cannot read this file."""


def find() -> str | None:
    """Return where ffprobe is on this machine."""
    return shutil.which("ffprobe")


async def probe(program: str, data: bytes) -> VideoFacts | None:
    """Return what ffprobe says of a video; none when it says nothing in time; `Unreadable`."""
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="permesso-video-")
    try:
        await asyncio.to_thread(Path(folder, "video.mp4").write_bytes, data)
        said = await _ask(program, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return None if said is None else _facts(said)


async def _ask(program: str, folder: str) -> dict[str, Any] | None:
    asked = await asyncio.create_subprocess_exec(
        *(program, *_ASK, "file:video.mp4"),
        cwd=folder,
        env={},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert asked.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(WITHIN):
            while piece := await asked.stdout.read(65_536):
                said += piece
                if len(said) > MOST_SAID:
                    log.warning("ffprobe.says_too_much")
                    return None
            status = await asked.wait()
    except TimeoutError:
        log.warning("ffprobe.takes_too_long", bytes=len(said))
        return None
    finally:
        if asked.returncode is None:
            asked.kill()
            await asked.wait()
    if status != 0:
        raise Unreadable
    try:
        told = json.loads(said)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _facts(told: dict[str, Any]) -> VideoFacts | None:
    """Return the first video and the first sound; none when it is told in another shape."""
    try:
        streams = {each["codec_type"]: each for each in reversed(told["streams"])}
        shown = streams["video"]
        width, height = int(shown["width"]), int(shown["height"])
        seconds = float(told["format"].get("duration", 0))
        turns = [int(each.get("rotation", 0)) for each in shown.get("side_data_list", ())]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if any(turn % 180 for turn in turns):
        width, height = height, width
    sound = streams.get("audio", {}).get("codec_name")
    return VideoFacts(width, height, round(seconds, 3), shown.get("codec_name"), sound)
