"""What a message costs with each client: `python -m tests.bench.sending_clients`.

Columns: messages per second with 50 in flight, and microseconds of this process's CPU for each. The
ways take turns, so that a busy machine is busy for all; the median round counts.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from statistics import median

import aiohttp
import uvloop
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.methods import SendMessage

from channels.telegram.session import TelegramSession
from shared import clock
from shared.http import SendingClient
from shared.security.addresses import AddressPolicy

IN_FLIGHT = 50
ROUNDS = 5
TOKEN = "42:TEST"
TEXT = "The autumn blend is here: come in, the first cup is ours. " * 3
BODY = json.dumps({"chat_id": 1001, "text": TEXT}).encode()

Send = Callable[[int], Awaitable[object]]


@contextmanager
def a_stub() -> Iterator[int]:
    """Run the stub in a process of its own; yield its port."""
    command = [sys.executable, "-m", "tests.bench.stub"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.terminate()


@asynccontextmanager
async def ways(port: int) -> AsyncIterator[dict[str, tuple[Send, int]]]:
    """Yield each way to send one message, and how many to send with it in a round."""
    base = f"http://127.0.0.1:{port}"
    server = TelegramAPIServer.from_base(base)
    client = SendingClient(AddressPolicy([f"127.0.0.1:{port}"]), max_connections=IN_FLIGHT)
    stock = Bot(TOKEN, session=AiohttpSession(api=server))
    session = TelegramSession(client, api=server)
    bot = Bot(TOKEN, session=session)
    outline = session.outline(bot, SendMessage(chat_id=0, text=TEXT))
    prepared = client.prepare(
        f"{base}/bot{TOKEN}/sendMessage", {"Content-Type": "application/json"}
    )

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT))
        )
        stack.push_async_callback(client.close)
        stack.push_async_callback(stock.session.close)

        async def by_aiohttp(chat: int) -> None:
            async with http.post(f"{base}/bot{TOKEN}/sendMessage", data=BODY) as response:
                await response.read()

        yield {
            "stock aiogram": (lambda chat: stock.send_message(chat, TEXT), 2_000),
            "bare aiohttp": (by_aiohttp, 5_000),
            "our client": (lambda chat: client.send(prepared, BODY), 20_000),
            "our session, bot.send_message": (lambda chat: bot.send_message(chat, TEXT), 10_000),
            "our session, outline": (
                lambda chat: session.send(bot, outline, chat, start_before=clock.ticks() + 5),
                20_000,
            ),
        }


async def measure(send: Send, number: int) -> tuple[float, float]:
    """Send with 50 in flight; return messages per second and CPU microseconds per message."""

    async def one_after_another(first: int) -> None:
        for chat in range(first, number, IN_FLIGHT):
            await send(chat)

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for first in range(IN_FLIGHT):
            group.create_task(one_after_another(first))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return number / wall, cpu / number * 1e6


async def main(port: int) -> None:
    """Let the ways take turns and print the medians."""
    results: dict[str, list[tuple[float, float]]] = {}
    async with ways(port) as all_ways:
        for _ in range(ROUNDS):
            for name, (send, number) in all_ways.items():
                results.setdefault(name, []).append(await measure(send, number))
    baseline = median(rate for rate, _ in results["stock aiogram"])
    for name, rounds in results.items():
        rate, cpu = (median(column) for column in zip(*rounds, strict=True))
        print(f"{name:32}{rate:10,.0f}/s {cpu:8.1f} µs {rate / baseline:6.1f} ×")


if __name__ == "__main__":
    with a_stub() as port:
        uvloop.run(main(port))
