"""The baseline of `send_webhook`: aiohttp alone, 50 in flight, unsigned, nobody asked.

Reads numbers of messages from standard input, posts so many and prints what it came to.
"""

import argparse
import asyncio
import json
import sys
import time

import aiohttp
import orjson
import uvloop

from tests.bench.brand import FIRST_ADDRESS, TEXT
from tests.bench.campaign import IN_FLIGHT

_FRAME = {"text": TEXT, "alt": None, "seconds": None, "button": None, "media": None}
BODY = orjson.dumps(
    {
        "type": "story",
        "story": {"title": "Autumn", "language": "it", "frames": [_FRAME]},
        "message_id": "019b0000-0000-7000-8000-000000000000",
        "part": 0,
        "address": str(FIRST_ADDRESS),
    }
)
"""What channels/webhook/README.md shows; the same for everybody, so it costs nothing to make."""
_JSON = {"content-type": "application/json"}


async def _post_all(http: aiohttp.ClientSession, url: str, number: int) -> dict[str, float]:
    async def one_after_another(first: int) -> None:
        for _ in range(first, number, IN_FLIGHT):
            async with http.post(url, data=BODY, headers=_JSON) as response:
                await response.read()
                response.raise_for_status()

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for first in range(IN_FLIGHT):
            group.create_task(one_after_another(first))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"rate": number / wall, "cpu_us": cpu / number * 1e6, "body_bytes": len(BODY)}


async def _main(port: int) -> None:
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as http:
        url = f"http://127.0.0.1:{port}/0"
        await _post_all(http, url, 1)
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await _post_all(http, url, int(line))), flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    # The faster loop of the two: the baseline gets the same as the services have.
    uvloop.run(_main(options.parse_args().port))
