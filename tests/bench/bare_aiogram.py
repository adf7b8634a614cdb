"""The baseline of `send`: one stock aiogram Bot, 50 in flight, no database, no consent.

Reads numbers of messages from standard input, sends so many and prints what it came to.
"""

import argparse
import asyncio
import json
import sys
import time

import uvloop
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from tests.bench.brand import FIRST_ADDRESS, TEXT

IN_FLIGHT = 50


async def _send_all(bot: Bot, number: int) -> dict[str, float]:
    async def one_after_another(first: int) -> None:
        for chat in range(first, number, IN_FLIGHT):
            await bot.send_message(FIRST_ADDRESS + chat, TEXT)

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for first in range(IN_FLIGHT):
            group.create_task(one_after_another(first))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"rate": number / wall, "cpu_us": cpu / number * 1e6}


async def _main(port: int) -> None:
    server = TelegramAPIServer.from_base(f"http://127.0.0.1:{port}")
    bot = Bot("42:TEST", session=AiohttpSession(api=server, limit=IN_FLIGHT))
    try:
        await bot.send_message(FIRST_ADDRESS, TEXT)
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await _send_all(bot, int(line))), flush=True)
    finally:
        await bot.session.close()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    # The faster loop of the two: the baseline gets the same as the services have.
    uvloop.run(_main(options.parse_args().port))
