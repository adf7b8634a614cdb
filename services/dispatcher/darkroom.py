"""Where pictures are developed: a few guests at a time, each a process of its own.

A thread would do for the event loop, and not for the rest: a decoder that eats memory, never ends
or crashes over a file that somebody made for it takes a process with it, and it shall not be ours.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

AT_ONCE = 2
WITHIN = 90.0
"""Seconds from the beginning of one picture until its guest is shown out."""
_COMMAND = (sys.executable, "-s", "-P", "-m", "services.dispatcher.developing")
_ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2])}
"""Where this very code lies, which is not installed everywhere; and nothing of ours, which holds
secrets."""


class NotMedia(ValueError):
    """These bytes are nothing that we take; the text says why, for people."""


class Darkroom:
    """Runs `developing` beside the event loop."""

    def __init__(self) -> None:
        """Have nobody in it."""
        self._room = asyncio.Semaphore(AT_ONCE)

    async def develop(self, data: bytes, kind: str) -> tuple[int, int, bytes]:
        """Return width, height and the picture, upright and without metadata; `NotMedia`."""
        told, made = await self._do({"do": "develop", "kind": kind}, data)
        return told["width"], told["height"], made

    async def fit(
        self, data: bytes, kind: str, *, width: int, height: int, most_bytes: int, keep: bool
    ) -> tuple[str, int, int, bytes]:
        """Return MIME type, width, height and bytes of a smaller picture; `NotMedia`.

        `keep`: it may stay in its own format.
        """
        order = {"do": "fit", "kind": kind, "width": width, "height": height, "keep": keep}
        told, made = await self._do({**order, "most_bytes": most_bytes}, data)
        return told["mime"], told["width"], told["height"], made

    async def _do(self, order: Mapping[str, object], data: bytes) -> tuple[dict[str, Any], bytes]:
        async with self._room:
            guest = await asyncio.create_subprocess_exec(
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_ENVIRONMENT,
            )
            try:
                async with asyncio.timeout(WITHIN):
                    said, _ = await guest.communicate(json.dumps(order).encode() + b"\n" + data)
            except TimeoutError as error:
                raise NotMedia("it takes too long to be read; make it smaller") from error
            finally:
                if guest.returncode is None:
                    guest.kill()
                    await guest.wait()
        line, _, made = said.partition(b"\n")
        if guest.returncode != 0 or not line:
            log.warning("picture.broke_the_decoder", status=guest.returncode, bytes=len(data))
            raise NotMedia("it takes too much to be read, or is damaged")
        told: dict[str, Any] = json.loads(line)
        if "wrong" in told:
            raise NotMedia(told["wrong"])
        return told, made
