"""The log of calls is complete, cheap and honest about its own stamps."""

import asyncio
import time
import tracemalloc

from channels.base.simulator import CallLog, serving
from channels.base.simulator.log import CHUNK
from channels.telegram.simulator import OWN_TOKEN, Platform


def add(log: CallLog, number: int) -> None:
    log.add(
        at_ns=number,
        channel="telegram",
        account="42",
        method="sendMessage",
        address=str(number % 1000),
        outcome="taken",
        digest=number.to_bytes(32),
    )


def test_entries_come_back_as_they_went_in() -> None:
    log = CallLog()
    for number in range(10):
        add(log, number)

    page = log.since(4, limit=3)

    assert [entry["seq"] for entry in page] == [5, 6, 7]
    assert page[0] == {
        "seq": 5,
        "at_ns": 4,
        "channel": "telegram",
        "account": "42",
        "method": "sendMessage",
        "address": "4",
        "outcome": "taken",
        "digest": (4).to_bytes(32).hex(),
    }


def test_the_oldest_go_in_chunks_and_it_says_so() -> None:
    log = CallLog(capacity=CHUNK)
    for number in range(3 * CHUNK + 1):
        add(log, number)

    entries = log.since(0, limit=10**6)

    assert log.first_seq == 2 * CHUNK + 1
    assert len(entries) == CHUNK + 1
    assert entries[-1]["seq"] == log.last_seq == 3 * CHUNK + 1


def test_a_log_that_keeps_nothing_still_counts() -> None:
    log = CallLog(capacity=0)
    add(log, 1)

    assert (log.last_seq, log.since(0)) == (1, [])


def test_an_entry_is_small() -> None:
    log = CallLog()
    tracemalloc.start()
    for number in range(200_000):
        add(log, number)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size / 200_000 < 110


async def test_the_stamp_is_the_first_bytes_time() -> None:
    platform = Platform()
    person = platform.person()
    async with serving(platform.app()) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        body = b'{"chat_id":%s,"text":"hi"}' % person.encode()
        head = b"POST /telegram/bot%s/sendMessage HTTP/1.1\r\nhost: x\r\n" % OWN_TOKEN.encode()
        before = time.monotonic_ns()
        writer.write(head[:10])
        await writer.drain()
        await asyncio.sleep(0.05)
        between = time.monotonic_ns()
        rest = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        writer.write(head[10:] + rest + body)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    (entry,) = platform.log.since(0)
    assert entry["outcome"] == "taken"
    assert before <= entry["at_ns"] < between


async def test_an_unfinished_request_is_in_the_log_and_not_on_the_phone() -> None:
    platform = Platform()
    person = platform.person()
    async with serving(platform.app()) as listener:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        head = b"POST /telegram/bot%s/sendMessage HTTP/1.1\r\nhost: x\r\n" % OWN_TOKEN.encode()
        writer.write(head + b"content-type: application/json\r\ncontent-length: 99\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        async with asyncio.timeout(5):
            while not platform.log.last_seq:
                await asyncio.sleep(0.01)

    assert platform.log.since(0)[0]["outcome"] == "incomplete"
    assert platform.phone(person) == []
